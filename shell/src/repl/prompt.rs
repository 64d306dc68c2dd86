//! The prompt: the database, and where its transaction stands.
//!
//! ```text
//!   bank>     outside of a block        bank*>    inside of one        bank!>    it failed: ROLLBACK
//!      ->     the statement goes on     bank?>    a commit has an unknown outcome
//! ```

use crate::client::Status;
use reedline::{Color, Prompt, PromptEditMode, PromptHistorySearch};
use std::borrow::Cow;

/// The prompt of the next line.
pub(super) struct StatusPrompt {
    text: String,
    next: String,
}

impl StatusPrompt {
    pub(super) fn new(database: &str, status: Status) -> StatusPrompt {
        let mark = match status {
            Status::Idle => "",
            Status::Open => "*",
            Status::Failed => "!",
            Status::Unknown => "?",
        };
        let text = format!("{database}{mark}> ");
        let next = format!("{:>1$}", "-> ", crate::render::width(&text));
        StatusPrompt { text, next }
    }
}

impl Prompt for StatusPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.text)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.next)
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }

    fn get_prompt_color(&self) -> Color {
        Color::Default
    }

    fn get_prompt_multiline_color(&self) -> Color {
        Color::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_continuation() {
        let prompt = |status| StatusPrompt::new("bank", status).text;
        let all = [Status::Idle, Status::Open, Status::Failed, Status::Unknown].map(prompt);
        assert_eq!(all, ["bank> ", "bank*> ", "bank!> ", "bank?> "]);
        assert_eq!(StatusPrompt::new("bank", Status::Open).next, "    -> ");
    }
}
