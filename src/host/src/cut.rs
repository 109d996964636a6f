//! Takes secrets out of text that is kept beside a command: excerpts of
//! scripts, what an agent states of itself.

use countersign_analysis::redact::{Dialect, Finding, find_for, find_text};

/// A script, without its literal secrets. What could be code stays, in whatever
/// language: to Perl and C the inside of a shell's quotes may be anything.
pub(crate) fn script(text: &str) -> String {
    without(text, &find_for(text, Dialect::Other))
}

/// Words of a person or an agent, without the secrets in them.
pub(crate) fn words(text: &str) -> String {
    without(text, &find_text(text))
}

fn without(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in findings.iter().filter(|finding| finding.is_cut() && finding.start < finding.end) {
        // One that begins within another is gone with it.
        if let Some(before) = text.get(at..finding.start) {
            out.push_str(before);
            out.push_str(&format!("⟨{}⟩", finding.kind));
        }
        at = at.max(finding.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_and_the_rest_stays() {
        let key = format!("AKIA{}", "ABCDEFGHIJKLMNOP");
        for cut in [script(&format!("export AWS_ACCESS_KEY_ID={key}\nls\n")), words(&format!("use {key} for it"))] {
            assert!(!cut.contains(&key), "{cut}");
        }
        assert_eq!(script("echo hi\nls -l\n"), "echo hi\nls -l\n");
        assert_eq!(words("deploy the new version"), "deploy the new version");
    }

    #[test]
    fn no_code_of_any_language_is_cut() {
        for text in [
            "=pod\n\ncurl -u 'a:\n=cut\nsystem(\"evil\");\n=pod\n' h\n\n=cut\n",
            "/*\ncurl -u 'a:*/ system(\"evil\") /*' h\n*/\n",
            "sshpass -p $'a\\'; evil #' x\n",
        ] {
            assert_eq!(script(text), text);
        }
        // What stands there as data in every language is still none of a reviewer's business.
        assert_eq!(script("DB_PASSWORD=\"hunter2hunter2\"\n"), "DB_PASSWORD=\"⟨password⟩\"\n");
    }
}
