//! The platform that a command works on: a running one, or a data folder.

use crate::client::Http;
use crate::engines::{self, Engines};
use crate::exit::Failure;
use clap::Args;
use http::StatusCode;
use std::path::PathBuf;
use std::sync::Arc;

/// The default administration address of `tacos up`.
const ADMIN_ADDR: &str = "127.0.0.1:8042";

/// Address or folder of the platform that a command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Administration address of a running platform.
    #[arg(long, value_name = "HOST:PORT", default_value = ADMIN_ADDR, conflicts_with = "data")]
    addr: String,
    /// Data folder of a platform that is not running; used instead of --addr.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Administration token, if the platform has one.
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

impl Place {
    /// Opens the data folder of a platform that is not running.
    pub(super) async fn open(&self, folder: &std::path::Path) -> Result<Engines, Failure> {
        if !folder.is_dir() {
            return Err(Failure::not_found(format!("data folder {} does not exist", folder.display())));
        }
        let engine = engines::open(folder, Arc::new(runtime::SystemClock::new())).await;
        Engines::embedded(&engine?).map_err(|error| Failure::service("open the data", error))
    }

    /// One call to the administration of a running platform. The caller handles 404.
    pub(super) async fn call(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<crate::client::Answer, Failure> {
        let http = Http::new(Arc::new(runtime::SystemClock::new()));
        let url = format!("http://{}{path}", self.addr);
        let token: Vec<(&str, &str)> =
            self.token.iter().map(|token| ("x-internal-token", token.as_str())).collect();
        let answer = http.call(method, &url, &token, body).await.map_err(|error| {
            Failure::service(&format!("reach a running platform at {}", self.addr), error)
        })?;
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                Err(Failure::usage("the platform requires an administration token: set ADMIN_TOKEN"))
            }
            status if status.is_server_error() => {
                Err(Failure::service("get an answer from the platform", anyhow::anyhow!(answer.message())))
            }
            _ => Ok(answer),
        }
    }
}
