//! The virtual clock: moved by hand, or running at a multiple of real time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Milliseconds: a length of time, or a point of time counted from 1970.
pub type Millis = i64;

/// Says what time it is in the twin.
#[derive(Debug)]
pub struct Clock {
    /// The virtual time at which the twin starts.
    pub begin: Millis,
    /// How many virtual seconds pass in a real one; zero means that only `advance` moves the clock.
    pub speed: f64,
    started: Instant,
    moved: Mutex<Millis>,
}

impl Clock {
    /// Returns a clock that stands still until it is moved by hand.
    pub fn manual(begin: Millis) -> Self {
        Self::running(begin, 0.0)
    }

    /// Returns a clock that runs at `speed` times real time; it may be moved by hand as well.
    pub fn running(begin: Millis, speed: f64) -> Self {
        let speed = if speed.is_finite() { speed.max(0.0) } else { 0.0 };
        Self { begin, speed, started: Instant::now(), moved: Mutex::new(0) }
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Millis {
        let ran = (self.started.elapsed().as_secs_f64() * self.speed * 1000.0) as Millis;
        self.begin + ran + *crate::held(&self.moved)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *crate::held(&self.moved) += Millis::try_from(by.as_millis()).unwrap_or(Millis::MAX / 4);
    }

    /// Returns the real time in which a stretch of virtual time passes, when the clock runs.
    pub fn real(&self, stretch: Millis) -> Option<Duration> {
        (self.speed > 0.0).then(|| Duration::from_secs_f64(stretch.max(0) as f64 / 1000.0 / self.speed))
    }
}
