//! Commits: one conditional call for one write, one transaction for more, repeated until the
//! outcome is known.
//!
//! A single write is a whole `PutItem`, not an `UpdateItem`: it costs the same, and no attribute of
//! the earlier row can remain. A single check is a consistent read. A refusal shows the row that
//! was in the way.
//!
//! The next try resolves a try whose answer was lost. A transaction is sent again under its token,
//! and the service says "done" if it was applied. A single put is sent again under its condition,
//! which reads and writes at one instant: it is applied now, or refused with the present row, whose
//! operation id says whether it is ours. When no tries are left the row is read once more.
//!
//! A delete with `Any` has no condition that could refuse it, so after a lost try it may remove a
//! row that was created in between. That too is "any"; its callers delete rows whose keys are used
//! once.

use super::DynamoStore;
use super::backoff::Tries;
use super::classify::{Meaning, Shape, Verdict, classify, meaning};
use super::faults;
use super::item::{Item, key_item, operation_of};
use super::names::{OPERATION, PARTITION, VERSION};
use super::plan::{Change, Plan, Step};
use super::refusal::{Found, Refusal};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use ports::store::{CommitError, Expect, Write};
use ports::{Fault, FaultClass};

/// One call, ready to be sent any number of times. A copy of a request has its attributes in the
/// same order, so a repeated transaction is the same to the last byte.
enum Request {
    Put(PutItemFluentBuilder),
    Delete(DeleteItemFluentBuilder),
    Transaction(TransactWriteItemsFluentBuilder),
}

impl DynamoStore {
    /// Applies all writes or none.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let mut plan = Plan::new(writes, self.operation_id(), self.indexes).map_err(CommitError::Failed)?;
        if let [Step { key, expect, change: Change::Check }] = plan.steps.as_slice() {
            let rows = self.read_rows(core::slice::from_ref(key)).await.map_err(CommitError::Failed)?;
            let version = rows.into_iter().next().flatten().map_or(0, |row| row.version);
            let holds = *expect == Expect::unchanged(version);
            return if holds { Ok(()) } else { Err(CommitError::Conflict { at: 0 }) };
        }
        let request = self.request(&mut plan).map_err(|error| {
            CommitError::Failed(Fault::permanent("a commit could not be put into a request").because(error))
        })?;
        self.send_until_known(&plan, &request).await
    }

    async fn send_until_known(&self, plan: &Plan, request: &Request) -> Result<(), CommitError> {
        let mut tries = Tries::begin(&*self.clock, &*self.entropy);
        let mut lost = false;
        loop {
            let Err(refusal) = request.send().await else { return Ok(()) };
            let class = match classify(&refusal) {
                Verdict::Refused { at, found } => {
                    return self.refused(plan, request.shape(), at, found.as_ref(), lost);
                }
                Verdict::Never(class) => return self.gave_up(request, class, refusal, lost),
                Verdict::Again(class) => class,
                Verdict::Lost => {
                    lost = true;
                    FaultClass::Unavailable
                }
            };
            tracing::debug!(table = &*self.table, code = refusal.code, lost, "trying a commit again");
            if !tries.rest().await {
                if lost && self.is_written(plan).await {
                    return Ok(());
                }
                return self.gave_up(request, class, refusal, lost);
            }
        }
    }

    fn refused(
        &self,
        plan: &Plan,
        shape: Shape,
        at: usize,
        found: Option<&Found>,
        lost: bool,
    ) -> Result<(), CommitError> {
        let Some(step) = plan.steps.get(at) else {
            return Err(CommitError::Ambiguous(Fault::transient(
                "DynamoDB refused a write that was not in the commit",
            )));
        };
        match meaning(shape, step.expect, &plan.operation, found, lost) {
            Meaning::Done => Ok(()),
            Meaning::Conflict => Err(CommitError::Conflict { at }),
            Meaning::Unclear => Err(CommitError::Ambiguous(Fault::transient(format!(
                "the answer to a commit to the table {} was lost, and the row {:?} / {:?} does not \
                 show whether it was applied",
                self.table, step.key.partition, step.key.sort
            )))),
        }
    }

    fn gave_up(
        &self,
        request: &Request,
        class: FaultClass,
        refusal: Refusal,
        lost: bool,
    ) -> Result<(), CommitError> {
        let operation = match request {
            Request::Put(_) => "PutItem",
            Request::Delete(_) => "DeleteItem",
            Request::Transaction(_) => "TransactWriteItems",
        };
        let fault = faults::fault(operation, &self.table, class, refusal);
        Err(if lost { CommitError::Ambiguous(fault) } else { CommitError::Failed(fault) })
    }

    /// Whether a row shows that the commit was applied. One row is enough: a commit is all or
    /// nothing.
    async fn is_written(&self, plan: &Plan) -> bool {
        let mut puts = plan.steps.iter().filter(|step| matches!(step.change, Change::Put(_)));
        let Some(step) = puts.next() else { return false };
        let read = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key_item(&step.key)))
            .projection_expression(OPERATION)
            .consistent_read(true);
        match Box::pin(read.send()).await {
            Ok(answer) => answer.item().and_then(operation_of) == Some(&*plan.operation),
            Err(_) => false,
        }
    }

    /// 32 hexadecimal digits: unique to this commit, and within the 36 characters of a token.
    fn operation_id(&self) -> String {
        format!("{:016x}{:016x}", self.entropy.next_u64(), self.entropy.next_u64())
    }

    /// Builds the call of a plan; the rows move into it.
    fn request(&self, plan: &mut Plan) -> Result<Request, BuildError> {
        let table = &*self.table;
        if let [step] = plan.steps.as_mut_slice() {
            let (condition, values, old) = condition(step.expect);
            if let Change::Put(item) = &mut step.change {
                let put = self.client.put_item().table_name(table).set_item(Some(core::mem::take(item)));
                return Ok(Request::Put(
                    put.set_condition_expression(condition)
                        .set_expression_attribute_values(values)
                        .set_return_values_on_condition_check_failure(old),
                ));
            }
            let delete = self.client.delete_item().table_name(table).set_key(Some(key_item(&step.key)));
            return Ok(Request::Delete(
                delete
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old),
            ));
        }
        let items: Vec<TransactWriteItem> =
            plan.steps.iter_mut().map(|step| transact_item(table, step)).collect::<Result<_, _>>()?;
        let transaction = self.client.transact_write_items().set_transact_items(Some(items));
        Ok(Request::Transaction(transaction.client_request_token(&plan.operation)))
    }
}

impl Request {
    const fn shape(&self) -> Shape {
        match self {
            Self::Put(_) => Shape::Put,
            Self::Delete(_) => Shape::Delete,
            Self::Transaction(_) => Shape::Transaction,
        }
    }

    /// Boxed: the SDK's futures are tens of kilobytes.
    async fn send(&self) -> Result<(), Refusal> {
        match self {
            Self::Put(put) => Box::pin(put.clone().send()).await.map(drop).map_err(Refusal::from_put),
            Self::Delete(delete) => {
                Box::pin(delete.clone().send()).await.map(drop).map_err(Refusal::from_delete)
            }
            Self::Transaction(transaction) => {
                Box::pin(transaction.clone().send()).await.map(drop).map_err(Refusal::from_transaction)
            }
        }
    }
}

fn transact_item(table: &str, step: &mut Step) -> Result<TransactWriteItem, BuildError> {
    let (condition, values, old) = condition(step.expect);
    let item = TransactWriteItem::builder();
    Ok(match &mut step.change {
        Change::Put(row) => item.put(
            Put::builder()
                .table_name(table)
                .set_item(Some(core::mem::take(row)))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .set_return_values_on_condition_check_failure(old)
                .build()?,
        ),
        Change::Delete => item.delete(
            Delete::builder()
                .table_name(table)
                .set_key(Some(key_item(&step.key)))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .set_return_values_on_condition_check_failure(old)
                .build()?,
        ),
        Change::Check => item.condition_check(
            ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(key_item(&step.key)))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .set_return_values_on_condition_check_failure(old)
                .build()?,
        ),
    }
    .build())
}

/// An expectation as DynamoDB's condition on the one item of the write, the condition's values, and
/// the request to return the row that fails it.
fn condition(expect: Expect) -> (Option<String>, Option<Item>, Option<ReturnValuesOnConditionCheckFailure>) {
    let old = Some(ReturnValuesOnConditionCheckFailure::AllOld);
    match expect {
        Expect::Absent => (Some(format!("attribute_not_exists({PARTITION})")), None, old),
        Expect::Version(version) => {
            let value = AttributeValue::N(version.to_string());
            (Some(format!("{VERSION} = :v")), Some(Item::from([(":v".to_owned(), value)])), old)
        }
        Expect::Any => (None, None, None),
    }
}
