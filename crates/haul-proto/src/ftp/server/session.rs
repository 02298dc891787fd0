//! The session (to be written).

use super::{
    line::Line,
    step::{Outcome, Step, Terms},
};

/// One control connection.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// A connection that was just made: the greeting is the first step.
    pub fn new(_terms: Terms) -> Self {
        todo!()
    }
    /// A line came.
    pub fn receive(&mut self, _line: Line) {
        todo!()
    }
    /// What was asked for was done, or not.
    pub fn complete(&mut self, _outcome: Outcome) {
        todo!()
    }
    /// TLS has begun on the control connection.
    pub fn secured(&mut self) {
        todo!()
    }
    /// The server is being stopped: 421 as soon as nothing is under way.
    pub fn stop(&mut self, _why: &str) {
        todo!()
    }
    /// What to do next; `None`: wait for a line or an outcome.
    pub fn poll(&mut self) -> Option<Step> {
        todo!()
    }
    /// Whether a line may be given to [`Self::receive`] now; else it waits, and while a transfer runs only what a
    /// session hears then is looked at.
    pub fn hears(&self) -> bool {
        todo!()
    }
}
