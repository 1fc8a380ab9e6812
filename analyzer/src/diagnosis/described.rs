//! What parts of the described state say only together, as records.

use std::sync::Arc;

use crate::record::{Level, Record, Source, Stream};
use crate::snapshot::{Snapshot, ended_by_alarms};

/// Tells what the alarms watch that ended a deployment: rollouts name their alarms, alarms their metrics.
pub(super) fn told_by(snapshot: &Snapshot) -> Vec<Record> {
    let stream = Arc::new(Stream { name: "state:alarms".to_owned(), source: Source::Metric });
    let ended = ended_by_alarms(snapshot.alarms.items(), snapshot).into_iter().zip(1..);
    let record = ended.map(|(ended, seq)| Record {
        stream: stream.clone(),
        seq,
        time: ended.time,
        source: Source::Metric,
        level: Level::Error,
        text: ended.text,
        body: None,
        line: 1,
        entity: Some(Arc::from(ended.alarm)),
        deployment: None,
    });
    record.collect()
}
