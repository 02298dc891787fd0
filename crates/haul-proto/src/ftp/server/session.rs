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
    /// Whether this line may be given to [`Self::receive`] now, all steps having been taken. Else the driver keeps it, and
    /// those behind it, in their order: while a transfer runs only ABOR, STAT without a path and QUIT are heard, and they
    /// pass the lines that wait.
    pub fn hears(&self, _line: &Line) -> bool {
        todo!()
    }
    /// Whether QUIT was said: that the control connection ends then is no accident.
    pub fn has_quit(&self) -> bool {
        todo!()
    }
}
