use super::*;
use crate::sources::testing::Fake;
use rmpv::Value;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

fn map(members: &[(&str, &str)]) -> Value {
    Value::Map(members.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn bytes(parts: Vec<Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &Value::Array(parts)).unwrap();
    bytes
}

/// A chunk in the mode of Fluent Bit: entries packed one after the other.
fn packed(tag: &str, chunk: Option<&str>, records: &[Value]) -> Vec<u8> {
    let entries: Vec<u8> = records.iter().flat_map(|record| bytes(vec![7.into(), record.clone()])).collect();
    let option = chunk.map(|chunk| map(&[("chunk", chunk)]));
    bytes([tag.into(), Value::Binary(entries)].into_iter().chain(option).collect())
}

async fn started(
    fake: &Fake,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<Result<(), Closed>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (outlet, stop) = fake.collect();
    (address, stop, tokio::spawn(serve(listener, Room::new(), None, outlet)))
}

/// Sends over one connection, then stops; returns what was answered and what was stored.
async fn send(messages: &[Vec<u8>], answers: usize) -> (Vec<u8>, Fake) {
    let fake = Fake::default();
    let (address, stop, serving) = started(&fake).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    for message in messages {
        // In two parts, since the network cuts where it likes.
        let (first, second) = message.split_at(message.len() / 2);
        socket.write_all(first).await.unwrap();
        socket.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        if socket.write_all(second).await.is_err() {
            break;
        }
    }
    let mut answered = vec![0; answers];
    socket.read_exact(&mut answered).await.unwrap();
    if answers == 0 {
        // What has come is taken before the connection ends.
        socket.shutdown().await.unwrap();
        let _ = socket.read_to_end(&mut answered).await;
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
    fake.ended().await;
    (answered, fake)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_chunk_is_stored() {
    let fake = Fake::default();
    let (address, _stop, _serving) = started(&fake).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let record = map(&[
        ("log", "ERROR no route"),
        ("container_name", "/web"),
        ("ecs_task_arn", "arn:aws:ecs:r:1:task/c/0123"),
    ]);
    socket.write_all(&packed("web-firelens", Some("id1"), &[record])).await.unwrap();
    let mut answer = vec![0; wire::acknowledgement("id1").len()];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, wire::acknowledgement("id1"));
    let store = fake.store.lock().unwrap();
    let record = &store.arrivals[0].record;
    assert_eq!(
        (record.stream.name.as_str(), record.entity.as_deref()),
        ("fluent:web-firelens/web", Some("0123"))
    );
    assert_eq!((record.text.as_str(), record.level), ("ERROR no route", analyzer::record::Level::Error));
    assert_eq!(record.time.unwrap().as_second(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_is_sent_again_is_stored_once() {
    let chunk = packed("t", Some("id1"), &[map(&[("log", "a")]), map(&[("log", "b")]), map(&[("log", "a")])]);
    let (_, fake) = send(&[chunk.clone(), chunk], 2 * wire::acknowledgement("id1").len()).await;
    assert_eq!(fake.texts(), ["a", "b", "a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_a_stream_are_folded() {
    let lines = ["ERROR x", "\tat a.B.c(B.java:1)", "next"]
        .map(|line| bytes(vec!["t".into(), 7.into(), map(&[("log", line)])]));
    let (_, fake) = send(&lines, 0).await;
    assert_eq!(fake.texts(), ["ERROR x\n\tat a.B.c(B.java:1)", "next"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_the_log_driver_cut_is_one_record() {
    let piece = |text: &str, ordinal: &str, last: &str| {
        let mark = [
            ("partial_message", "true"),
            ("partial_id", "x"),
            ("partial_ordinal", ordinal),
            ("partial_last", last),
        ];
        map(&[[("log", text)].as_slice(), &mark].concat())
    };
    let long = "x".repeat(16 << 10);
    let pieces = [
        piece(&format!("ERROR {long}"), "1", "false"),
        piece(&long, "2", "false"),
        piece("end", "3", "true"),
    ];
    let messages = pieces.map(|piece| bytes(vec!["t".into(), 7.into(), piece]));
    let whole = format!("ERROR {long}{long}end");
    let (_, fake) = send(&messages, 0).await;
    assert_eq!(fake.texts(), [whole.as_str()]);
    assert_eq!(fake.store.lock().unwrap().arrivals[0].record.level, analyzer::record::Level::Error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_without_the_key_is_not_listened_to() {
    let fake = Fake::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (outlet, stop) = fake.collect();
    let serving = tokio::spawn(serve(listener, Room::new(), Some("falcon".to_owned()), outlet));
    for first in [
        packed("t", None, &[map(&[("log", "a")])]),
        bytes(vec!["PING".into(), "h".into(), "s".into(), "no".into()]),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let mut answered = [0; 256];
        let length = socket.read(&mut answered).await.unwrap();
        let hello = rmpv::decode::read_value(&mut &answered[..length]).unwrap();
        assert_eq!(hello[0].as_str(), Some("HELO"));
        let _ = socket.write_all(&first).await;
        let _ = socket.write_all(&packed("t", None, &[map(&[("log", "b")])])).await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
    fake.ended().await;
    assert!(fake.texts().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_line_is_kept_as_json() {
    let nothing = vec![0xc0];
    let (_, fake) =
        send(&[nothing, bytes(vec!["t".into(), 7.into(), map(&[("level", "error"), ("code", "x")])])], 0)
            .await;
    assert_eq!(fake.texts(), ["{\"level\":\"error\",\"code\":\"x\"}"]);
    assert_eq!(fake.store.lock().unwrap().arrivals[0].record.level, analyzer::record::Level::Error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_end_only_their_own_connection() {
    let fake = Fake::default();
    let (address, _stop, serving) = started(&fake).await;
    for hostile in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0xc1], &[0x93, 0x01, 0x02, 0x03], &[0x91; 300]] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(hostile).await.unwrap();
        let _ = socket.shutdown().await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&packed("t", Some("x"), &[map(&[("log", "fine")])])).await.unwrap();
    let mut answer = vec![0; wire::acknowledgement("x").len()];
    socket.read_exact(&mut answer).await.unwrap();
    assert!(!serving.is_finished());
    assert_eq!(fake.texts(), ["fine"]);
}

/// A record that is sent with FireLens' own members is stored with this text.
async fn check_text(members: &[(&str, &str)], text: &str) -> analyzer::record::Record {
    let own = [
        ("container_id", "c1"),
        ("container_name", "/web"),
        ("source", "stderr"),
        ("ecs_cluster", "shop"),
        ("ecs_task_arn", "arn:aws:ecs:r:1:task/c/0123"),
        ("ecs_task_definition", "web:7"),
    ];
    let record = map(&[members, &own].concat());
    let (_, fake) = send(&[bytes(vec!["t".into(), 7.into(), record])], 0).await;
    assert_eq!(fake.texts(), [text]);
    let record = fake.store.lock().unwrap().arrivals[0].record.clone();
    assert_eq!(record.entity.as_deref(), Some("0123"));
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_structured_record_keeps_what_it_says_besides_its_message() {
    let error = "connection to server at \"db\", port 5432 failed: Connection refused";
    let text = r#"{"message":"cannot start","level":"error","error":"connection to server at \"db\", port 5432 failed: Connection refused"}"#;
    let members = [("level", "error"), ("message", "cannot start"), ("error", error)];
    let record = check_text(&members, text).await;
    assert_eq!(record.said(), format!("cannot start\n{error}"));
    assert_eq!(record.level, analyzer::record::Level::Error);
    check_text(&[("level", "error"), ("message", "cannot start")], "cannot start").await;
    check_text(&[("log", "cannot start")], "cannot start").await;
    check_text(
        &[("log", r#"{"msg":"a","err":"b"}"#), ("msg", "a"), ("err", "b")],
        r#"{"msg":"a","err":"b"}"#,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_stop_in_large_messages_do_not_keep_others_out() {
    let fake = Fake::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (outlet, stop) = fake.collect();
    let seconds = Duration::from_secs;
    let room = Room::of(1 << 20, seconds(30), Duration::from_millis(300), seconds(60));
    let serving = tokio::spawn(serve(listener, room, None, outlet));
    let chunk = packed("t", Some("x"), &[map(&[("log", &"a".repeat(2 << 20))])]);
    let mut stopped = Vec::new();
    for _ in 0..6 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // Senders that find no room are kept waiting.
        let sent = timeout(Duration::from_millis(200), socket.write_all(&chunk[..chunk.len() - 1])).await;
        stopped.push((socket, sent));
    }
    let mut socket = TcpStream::connect(address).await.unwrap();
    let acknowledged = async {
        socket.write_all(&chunk).await.unwrap();
        let mut answer = vec![0; wire::acknowledgement("x").len()];
        socket.read_exact(&mut answer).await.unwrap();
    };
    timeout(seconds(20), acknowledged).await.unwrap();
    assert_eq!(fake.store.lock().unwrap().arrivals.len(), 1);
    drop(stopped);
    stop.cancel();
    serving.await.unwrap().unwrap();
}
