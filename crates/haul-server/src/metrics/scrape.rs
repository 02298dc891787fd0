//! All figures as one page, at the moment when somebody asks: what was counted, and what is now.

use super::{
    Metrics,
    label::DoorName,
    page::{Kind, Page},
};
use crate::house::House;

/// The doors, in order.
const DOORS: [DoorName; 4] = [DoorName::Ftp, DoorName::Ftps, DoorName::Http, DoorName::Https];

/// The page of a house.
pub(crate) async fn scrape(house: &House) -> String {
    let mut page = Page::default();
    let metrics = house.log.metrics();
    metrics.of_the_build(&mut page);
    sessions(house, &mut page);
    metrics.of_clients(&mut page);
    metrics.of_transfers(&mut page);
    metrics.of_disks(&mut page);
    outstanding(house, &mut page).await;
    metrics.of_operation(&mut page);
    if let Some(process) = metrics.process.get() {
        process.tell(&mut page);
    }
    page.text()
}

/// Who is there.
fn sessions(house: &House, page: &mut Page) {
    let [ftp, ftps] = house.sessions.through([DoorName::Ftp, DoorName::Ftps]);
    let [http, https] = house.connections.through([DoorName::Http, DoorName::Https]);
    let help = "Clients that are connected.";
    let [a, b, c, d] = DOORS.map(|door| [("door", door.name())]);
    let values: [(&[(&str, &str)], usize); 4] = [(&a, ftp), (&b, ftps), (&c, http), (&d, https)];
    page.several("haul_sessions", Kind::Gauge, help, &values);
}

/// What is unfinished, and how much room there is. What cannot be told is not there.
async fn outstanding(house: &House, page: &mut Page) {
    if let Ok(sum) = house.depot.outstanding().await {
        let age = sum.oldest.map_or(0, |oldest| super::now().saturating_sub(oldest).max(0));
        page.one("haul_unfinished_uploads", Kind::Gauge, "Uploads that are not finished.", sum.uploads);
        page.one("haul_unfinished_bytes", Kind::Gauge, "Bytes that are safe of them.", sum.bytes);
        let help = "For how long the one that has waited longest has had no byte.";
        page.one("haul_unfinished_oldest_seconds", Kind::Gauge, help, age);
    }
    if let Ok(Some(room)) = house.depot.room().await {
        let help = "Room on the medium of the served folder.";
        page.one("haul_free_bytes", Kind::Gauge, help, room);
    }
    if let Some(state) = house.state_folder() {
        let help = "Size of the ledger of unfinished uploads.";
        page.one("haul_ledger_bytes", Kind::Gauge, help, haul_store::SqliteLedger::size_in(state));
    }
}

impl Metrics {
    fn of_the_build(&self, page: &mut Page) {
        let labels: &[(&str, &str)] = &[("version", env!("CARGO_PKG_VERSION"))];
        page.several("haul_build_info", Kind::Gauge, "Which haul this is; always 1.", &[(labels, 1)]);
    }

    fn of_clients(&self, page: &mut Page) {
        page.counts("haul_sessions_total", "Clients that have connected.", &self.sessions, |_| true);
        page.counts("haul_logins_total", "Clients that came in by a name.", &self.logins, |_| true);
        let help = "TLS handshakes that failed, of control connections and of HTTP.";
        page.counts("haul_tls_handshake_failures_total", help, &self.handshakes, |_| true);
        let help = "Answers over HTTP and replies over FTP, by the class of their number.";
        page.counts("haul_answers_total", help, &self.answers, |_| true);
        page.counts("haul_refusals_total", "What was not granted, by reason.", &self.refusals, |_| true);
        let help = "Time from a request or command until its answer began.";
        page.spreads("haul_request_seconds", help, &self.requests, |_| true);
        page.counts("haul_changes_total", "What was changed in the tree.", &self.changes, |_| true);
    }

    fn of_transfers(&self, page: &mut Page) {
        let there = |((door, dialect), (way, _)): super::Ending| dialect.is_of(door, way);
        page.counts("haul_transfers_total", "Transfers that have ended.", &self.transfers, there);
        let help = "Bytes of files that have moved, also of transfers that have not ended.";
        page.counts("haul_transfer_bytes_total", help, &self.bytes, |_| true);
        page.counts(
            "haul_resumes_total",
            "Transfers that went on where another stopped.",
            &self.resumes,
            |_| true,
        );
        let help = "Bytes that need not move again, since a transfer went on behind them.";
        page.counts("haul_resumed_bytes_total", help, &self.saved, |_| true);
        page.spreads("haul_transfer_seconds", "How long transfers took.", &self.took, |_| true);
    }

    fn of_disks(&self, page: &mut Page) {
        let help = "How long it took to make something durable.";
        page.spreads("haul_sync_seconds", help, &self.syncs, |_| true);
        let help = "What could not be made durable.";
        page.counts("haul_sync_failures_total", help, &self.sync_failures, |_| true);
        let help = "How long commits of the ledger took.";
        page.one_spread("haul_ledger_commit_seconds", help, &self.commits);
        let (help, failures) = ("Commits of the ledger that failed.", self.commit_failures.value());
        page.one("haul_ledger_commit_failures_total", Kind::Counter, help, failures);
        let help = "Orders that wait for the ledger.";
        page.one("haul_ledger_queue", Kind::Gauge, help, self.orders.value());
    }

    fn of_operation(&self, page: &mut Page) {
        let help = "Unfinished uploads that nobody came back for in time.";
        page.one("haul_expired_uploads_total", Kind::Counter, help, self.expired.value());
        let help = "Unfinished uploads that whoever runs the server has dropped.";
        page.one("haul_dropped_uploads_total", Kind::Counter, help, self.dropped.value());
        let help = "Times that a hook was told of a transfer, or was to be.";
        page.counts("haul_hook_tries_total", help, &self.hooks, |_| true);
        let help = "Words that a hook never heard, however often it was tried.";
        page.one("haul_hooks_given_up_total", Kind::Counter, help, self.hooks_given_up.value());
        let help = "Times that the configuration was read again.";
        page.counts("haul_config_reloads_total", help, &self.reloads, |_| true);
        let help = "When the configuration in use was read, since 1970.";
        page.one("haul_config_reload_time_seconds", Kind::Gauge, help, self.reloaded.value());
        let help = "Whether reading the configuration again failed last.";
        page.one("haul_config_reload_failed", Kind::Gauge, help, self.reload_failed.value());
        if self.certificate.value() != 0 {
            let help = "Until when the certificate is good, since 1970.";
            let until = self.certificate.value();
            page.one("haul_certificate_not_after_seconds", Kind::Gauge, help, until);
        }
        page.counts(
            "haul_log_lost_total",
            "Lines that were not written since too many waited.",
            &self.lost,
            |_| true,
        );
        page.counts(
            "haul_log_failures_total",
            "Lines that could not be written.",
            &self.paper_failures,
            |_| true,
        );
    }
}
