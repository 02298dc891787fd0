//! Random uploads by clients that break off in every way: an offset told never goes back, and what is published is what
//! was sent.

use haul_core::Random;

use super::*;

/// One client with one file that tries until it is there.
struct Client {
    name: String,
    size: u64,
    declares: bool,
    told: u64,
}

impl Client {
    /// One try; whether the file is there.
    async fn go(&mut self, server: &Server, random: &mut Random) -> bool {
        let ann = server.ann();
        let at = size(&ann, &self.name).await.unwrap_or(0);
        assert!(
            at >= self.told && at < self.size,
            "{}: {at} after {} of {}",
            self.name,
            self.told,
            self.size
        );
        assert_eq!(peeked_or_nothing(&ann, &self.name).await, content(0, at));
        self.told = at;
        let wish = if at > 0 && random.below(2) == 0 { Wish::From(at) } else { Wish::Append };
        let declared = match (self.declares, random.below(2)) {
            (true, 0) => Some(self.size),
            (true, _) => Some(self.size - at),
            (false, _) => None,
        };
        let mut receiving = ann.receive(&path(&self.name), wish, declared).await.unwrap();
        assert_eq!(receiving.offset(), at);
        let until = if random.below(3) == 0 { self.size } else { at + random.below(self.size - at + 1) };
        while receiving.offset() < until {
            let from = receiving.offset();
            let some = (random.below(700_000) + 1).min(until - from);
            receiving.append(content(from, from + some).into()).await.unwrap();
            let told = size(&server.ann(), &self.name).await.unwrap_or(0);
            assert!(told >= self.told && told <= from + some, "{}: {told} after {}", self.name, self.told);
            self.told = told;
        }
        let whole = until == self.size;
        let (data, control) = match random.below(4) {
            0 => {
                drop(receiving);
                return false;
            }
            1 if whole => (DataEnd::Clean, Control::Alive),
            2 => (DataEnd::Clean, Control::Gone),
            _ => (DataEnd::Unclean, Control::Alive),
        };
        match receiving.settle(data, control).await.unwrap() {
            Settled::Published(meta) => {
                assert_eq!(meta.size, self.size);
                true
            }
            Settled::Kept { at, .. } => {
                assert!(at >= self.told && at < self.size);
                self.told = at;
                false
            }
        }
    }
}

async fn peeked_or_nothing(visitor: &Visitor, name: &str) -> Vec<u8> {
    if size(visitor, name).await.is_none() { Vec::new() } else { peeked(visitor, name).await }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_offset_that_was_told_goes_back_however_clients_and_servers_end() {
    let bench = Bench::new();
    let mut random = Random::new(7);
    let mut server = bench.start(RULES).await;
    for number in 0..30u64 {
        let mut client = Client {
            name: format!("f{number}"),
            size: 1 + random.below(if number % 5 == 0 { 4 << 20 } else { 200_000 }),
            declares: random.below(2) == 0,
            told: 0,
        };
        let mut tries = 0;
        while !client.go(&server, &mut random).await {
            tries += 1;
            assert!(tries < 200, "{} is never whole", client.name);
            if bench.published(&client.name).is_some() {
                // A declared size that was reached when the client went without a word.
                break;
            }
            if random.below(6) == 0 {
                server.stop().await;
                server = bench.start(RULES).await;
            }
            // A client that went without a word is waited for.
            server.depot.at_rest().await;
            if bench.published(&client.name).is_some() {
                break;
            }
        }
        assert_eq!(bench.published(&client.name).unwrap(), content(0, client.size));
    }
    assert_eq!(bench.staged(), 0);
}
