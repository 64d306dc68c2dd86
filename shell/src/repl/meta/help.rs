//! `\?`: the list of meta-commands.

use super::COMMANDS;

/// The list, one line each.
pub(super) fn list() -> String {
    let width = COMMANDS.iter().map(|meta| meta.name.len() + meta.args.len() + 1).max().unwrap_or(0);
    let mut text = String::new();
    for meta in COMMANDS {
        let call = format!("{} {}", meta.name, meta.args);
        text.push_str(&format!("  {call:width$}   {}\n", meta.help));
    }
    text.push_str(
        "\n  A statement ends with ; (or \\g; \\G shows one value per line). Enter runs it when it is complete.\n",
    );
    text.push_str("  ^C cancels a statement, ^D leaves. Tab completes, ^R searches what was typed before.\n");
    text.push_str("  .tables .schema .quit .help .read .timer .mode .output work as in sqlite.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_fits_a_screen() {
        let text = list();
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
        assert!(text.lines().count() <= 40);
        assert!(text.contains("\\demo ls|kill N|stop N|start N"));
    }
}
