//! Tells a live view what is known. Conclusions are reached on another thread, one after the other, and take no more than
//! half of the time, so that records are taken in and stored meanwhile.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::case::Case;
use super::collector::Live;

/// How often a live view is told at most.
const EVERY: Duration = Duration::from_millis(300);
/// How soon it is looked whether a conclusion is reached.
const LOOK: Duration = Duration::from_millis(50);

/// What is being told.
#[derive(Default)]
pub struct Telling {
    running: Option<Running>,
    /// From when on more may be told.
    next: Option<Instant>,
}

/// A conclusion under way.
struct Running {
    begun: Instant,
    ended: Arc<OnceLock<Instant>>,
    task: JoinHandle<()>,
}

impl Telling {
    /// Returns how long to wait before more is told.
    pub fn wait(&mut self) -> Duration {
        if self.running.as_ref().is_some_and(|running| !running.task.is_finished()) {
            return LOOK;
        }
        if let Some(Running { begun, ended, .. }) = self.running.take() {
            let ended = ended.get().copied().unwrap_or_else(Instant::now);
            self.next = Some(ended + ended.duration_since(begun).max(EVERY));
        }
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Tells what is known, with the diagnosis as soon as it is reached. `begun`: when the case began to be made up.
    pub fn tell(
        &mut self,
        runtime: &Handle,
        begun: Instant,
        case: Case,
        live: Live,
        view: watch::Sender<Arc<Live>>,
    ) {
        self.run(runtime, begun, move || {
            let diagnosis = Some(Arc::new(case.concluded()));
            view.send_replace(Arc::new(Live { diagnosis, ..live }));
        });
    }

    fn run(&mut self, runtime: &Handle, begun: Instant, conclude: impl FnOnce() + Send + 'static) {
        let ended = Arc::new(OnceLock::new());
        let end = ended.clone();
        let task = runtime.spawn_blocking(move || {
            conclude();
            end.get_or_init(Instant::now);
        });
        self.running = Some(Running { begun, ended, task });
    }

    /// Waits until all is told.
    pub fn finish(&mut self, runtime: &Handle) {
        if let Some(running) = self.running.take() {
            // Where it ended in a panic, what is told later is not less true.
            let _ = runtime.block_on(running.task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_rests_for_as_long_as_it_took() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut telling = Telling::default();
        assert!(telling.wait().is_zero());
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let begun = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        telling.run(runtime.handle(), begun, move || {
            let _ = told.recv();
        });
        assert_eq!(telling.wait(), LOOK, "one after the other");
        tell.send(()).unwrap();
        while telling.running.as_ref().is_some_and(|running| !running.task.is_finished()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(telling.wait() > Duration::from_secs(4), "{:?}", telling.wait());
        telling.finish(runtime.handle());
    }

    /// However late it is looked, only the time that it took counts.
    #[test]
    fn what_ended_long_ago_keeps_nobody_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let begun = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let ended = Arc::new(OnceLock::from(begun + Duration::from_secs(1)));
        let task = runtime.spawn_blocking(|| ());
        while !task.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut telling = Telling { running: Some(Running { begun, ended, task }), next: None };
        assert!(telling.wait().is_zero());
    }
}
