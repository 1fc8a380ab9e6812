//! Runs a twin: `twin --scenario NAME|FILE [--listen 127.0.0.1:PORT] [--speed 20] [--seed N]`.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use twin::{Clock, Millis, Scenario, Twin};

struct Options {
    scenario: Scenario,
    listen: SocketAddr,
    speed: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let options = read(std::env::args().skip(1))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let begin = Millis::try_from(now.as_millis()).map_err(|error| error.to_string())?;
    let clock = Clock::running(begin, options.speed);
    let listened = Twin::listen(options.scenario, clock, options.listen).await;
    let twin = listened.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    println!("{}", twin.url());
    std::future::pending::<()>().await;
    Ok(())
}

fn read(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut named = "healthy".to_owned();
    let mut listen = "127.0.0.1:0".to_owned();
    let (mut speed, mut seed) = (1.0, None);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--scenario" => named = value,
            "--listen" => listen = value,
            "--speed" => speed = value.parse().map_err(|error| format!("--speed {value}: {error}"))?,
            "--seed" => seed = Some(value.parse().map_err(|error| format!("--seed {value}: {error}"))?),
            _ => {
                return Err(format!(
                    "unknown option {flag}; known are --scenario, --listen, --speed, --seed"
                ));
            }
        }
    }
    let mut scenario = match Scenario::built_in(&named) {
        Some(scenario) => scenario,
        None => {
            let text = std::fs::read_to_string(&named).map_err(|error| {
                let known: Vec<&str> = Scenario::names().collect();
                format!("{named} is neither a file ({error}) nor one of {}", known.join(", "))
            })?;
            Scenario::parse(&text).map_err(|error| format!("{named}: {error}"))?
        }
    };
    if let Some(seed) = seed {
        scenario.seed = seed;
    }
    let listen = listen.parse().map_err(|error| format!("--listen {listen}: {error}"))?;
    Ok(Options { scenario, listen, speed })
}
