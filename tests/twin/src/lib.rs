//! A simulated AWS account over HTTP.
//!
//! The twin plays ECS deployments and CloudFormation stacks on a virtual clock and answers the calls
//! that Medic makes, in the protocols of AWS. See README.md for the format of scenarios.

pub mod change_sets;
pub mod clock;
pub mod cloudformation;
pub mod ec2;
pub mod ecs;
pub mod elb;
mod faults;
mod github;
pub mod logs;
mod metadata;
pub mod metrics;
mod page;
pub mod registry;
pub mod scenario;
mod server;
pub mod sqs;
pub mod wire;
pub mod world;

pub use clock::{Clock, Millis};
pub use scenario::Scenario;
pub use world::World;

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A running twin.
#[derive(Debug)]
pub struct Twin {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// A call that the twin has seen.
#[derive(Debug, Clone)]
pub struct Call {
    /// The prefix of the service in IAM policies.
    pub service: String,
    pub action: String,
    pub params: Value,
    /// The code of the error that it was answered with.
    pub error: Option<String>,
    /// The virtual time.
    pub at: Millis,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub clock: Clock,
    pub seed: u64,
    pub world: Mutex<World>,
    pub calls: Mutex<Vec<Call>>,
    /// How often each action was called.
    pub counts: Mutex<BTreeMap<String, u32>>,
    stopped: AtomicBool,
    stopping: Notify,
}

impl Twin {
    /// Starts a twin on a free port of the loopback interface.
    pub async fn start(scenario: Scenario, clock: Clock) -> std::io::Result<Self> {
        Self::listen(scenario, clock, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts a twin on an address.
    pub async fn listen(scenario: Scenario, clock: Clock, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let seed = scenario.seed;
        let world = World::new(scenario, seed, clock.begin);
        let shared = Arc::new(Shared {
            clock,
            seed,
            world: Mutex::new(world),
            calls: Mutex::default(),
            counts: Mutex::default(),
            stopped: AtomicBool::new(false),
            stopping: Notify::new(),
        });
        let router = axum::Router::new().fallback(server::handle).with_state(Arc::clone(&shared));
        let stopping = Arc::clone(&shared);
        tokio::spawn(async move {
            let until = async move { stopping.stopping.notified().await };
            // Accepting goes on after errors; it ends, with all connections, when the twin is stopped.
            let _ = axum::serve(listener, router).with_graceful_shutdown(until).await;
        });
        Ok(Self { shared, address })
    }

    /// Returns the endpoint for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Millis {
        self.shared.clock.now()
    }

    /// Moves the virtual clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Returns the calls that were made so far.
    pub fn calls(&self) -> Vec<Call> {
        held(&self.shared.calls).clone()
    }

    /// Shows the account as it is now.
    pub fn look<T>(&self, see: impl FnOnce(&World) -> T) -> T {
        let mut world = held(&self.shared.world);
        world.run(self.shared.clock.now());
        see(&world)
    }

    /// Stops answering and closes connections when they are idle.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.stopping.notify_one();
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Locks; what a panicking thread has left behind is whole, as each step ends before the lock does.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
