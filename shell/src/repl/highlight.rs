//! Colours of what is typed.

use super::complete::KEYWORDS;
use super::lex::{Token, pieces};
use super::script::is_meta;
use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

/// Paints keywords, strings, numbers and comments; what is left open is red.
pub(super) struct Painter {
    pub(super) enabled: bool,
}

impl Highlighter for Painter {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut styled = StyledText::new();
        if !self.enabled || is_meta(line.trim_start()) {
            styled.push((Style::new(), line.to_owned()));
            return styled;
        }
        for piece in pieces(line) {
            let text = piece.text(line);
            styled.push((style(piece.token, text), text.to_owned()));
        }
        styled
    }
}

fn style(token: Token, text: &str) -> Style {
    match token {
        Token::Word if is_keyword(text) => Style::new().bold().fg(Color::Blue),
        Token::Text => Style::new().fg(Color::Green),
        Token::Number => Style::new().fg(Color::Cyan),
        Token::Comment => Style::new().dimmed(),
        Token::Open => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}

fn is_keyword(text: &str) -> bool {
    KEYWORDS.binary_search(&text.to_uppercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_found_in_any_case() {
        assert!(KEYWORDS.is_sorted());
        assert!(is_keyword("select") && is_keyword("Where") && !is_keyword("accounts"));
    }

    #[test]
    fn painting_changes_no_text() {
        let line = "select 'a' || \"b\" -- c\n from t where x = 'open";
        let styled = Painter { enabled: true }.highlight(line, 0);
        assert_eq!(styled.buffer.iter().map(|(_, text)| text.as_str()).collect::<String>(), line);
        assert_eq!(styled.buffer.last().map(|(style, _)| *style), Some(Style::new().fg(Color::Red)));
    }
}
