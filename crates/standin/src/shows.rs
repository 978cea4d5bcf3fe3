//! The part of inventory-api's administration that a gateway reads: `GET /admin/shows` and `GET
//! /admin/shows/{id}`.
//!
//! A show here has a rate of its waiting room and one section that never sells out.

use crate::http1::{self, Reply, Request};
use crate::listener::Listener;
use contracts::rest::admin::{self, Kind, SectionCounts, Show, WaitingRoom};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const PATH: &str = "/admin/shows";
const SEATS: u64 = 1_000_000;

/// The server; ends when it is dropped.
pub struct Shows {
    listener: Listener,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book(Mutex<BTreeMap<String, Show>>);

impl Shows {
    /// Starts it on the current tokio runtime, without any show.
    pub async fn start() -> io::Result<Self> {
        let book = Arc::new(Book::default());
        let served = book.clone();
        let listener = Listener::open(move |stream| http1::serve(stream, served.clone())).await?;
        Ok(Self { listener, book })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Puts a show on sale whose waiting room admits `rate` people per second, and `burst` at once.
    pub fn open(&self, event: &str, rate: f64, burst: f64) {
        let section = SectionCounts {
            id: "floor".to_owned(),
            name: "Floor".to_owned(),
            price: 100_000,
            kind: Kind::General,
            total: SEATS,
            remaining: SEATS,
            held: 0,
            sold: 0,
            blocked: 0,
        };
        let show = Show {
            event_id: event.to_owned(),
            name: event.to_owned(),
            currency: "KRW".to_owned(),
            total_seats: SEATS,
            sections: vec![section],
            waiting_room: Some(WaitingRoom { rate_per_sec: rate, burst: Some(burst), required: true }),
        };
        self.book.shows().insert(event.to_owned(), show);
    }
}

impl Book {
    fn shows(&self) -> MutexGuard<'_, BTreeMap<String, Show>> {
        self.0.lock()
    }
}

impl http1::Service for Book {
    async fn answer(&self, request: Request<'_>, reply: &mut Reply) {
        let shows = self.shows();
        match (request.method, request.path.strip_prefix(PATH)) {
            ("GET", Some("")) => write(reply, &admin::Shows { shows: shows.values().cloned().collect() }),
            ("GET", Some(path)) if path.strip_prefix('/').is_some_and(|id| shows.contains_key(id)) => {
                write(reply, &shows[&path[1..]]);
            }
            _ => {
                reply.status = 404;
                write(
                    reply,
                    &json!({"error": {"code": "NOT_FOUND", "message": "no such show", "trace_id": ""}}),
                );
            }
        }
    }
}

fn write(reply: &mut Reply, body: &impl Serialize) {
    serde_json::to_writer(&mut reply.body, body).expect("a buffer takes everything");
}
