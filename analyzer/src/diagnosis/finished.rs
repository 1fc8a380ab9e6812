//! Tasks that no service asked for: to end is what they were started for.

use super::kept::Kept;
use crate::record::{Level, Source};

/// Whether a record tells of such a task that came to its end without an error.
/// Only of a task of a service, which is to stay, is the same end told as an error.
pub(super) fn is_done(kept: &Kept) -> bool {
    let is_told = kept.source == Source::EcsStoppedTask
        && kept.level == Level::Info
        && kept.text.contains("STOPPED EssentialContainerExited");
    let codes = kept.text.split("exitCode=").skip(1);
    let mut codes =
        codes.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()).peekable();
    is_told && codes.peek().is_some() && codes.all(|code| code == "0")
}
