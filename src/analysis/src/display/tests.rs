//! Both ways: what is a trick is said, and honest writing is left alone.

use super::*;
use crate::facts::Place;

fn kinds(text: &str) -> Vec<Trick> {
    tricks(text, &crate::parse(text, &Place::default())).into_iter().map(|shown| shown.kind).collect()
}

#[test]
fn tricks_are_found() {
    use Trick::{Bidirectional, Blank, Combining, Control, Homoglyph, Invisible, Padding, PrivateUse, TerminalEscape};
    let wide = format!("ls{}; rm -rf /srv", " ".repeat(120));
    let tabs = format!("ls{}; rm x", "\t".repeat(12));
    let high = format!("ls{}rm x", "\n".repeat(40));
    let table: &[(&str, Trick)] = &[
        ("rm \u{202e}fdp.x", Bidirectional),
        ("rm \u{202d}x", Bidirectional),
        ("rm \u{202a}x\u{202c}", Bidirectional),
        ("rm \u{2066}x\u{2069}", Bidirectional),
        ("rm \u{2067}x", Bidirectional),
        ("rm \u{200f}x", Bidirectional),
        ("rm \u{200e}x", Bidirectional),
        ("rm \u{61c}x", Bidirectional),
        ("ls\u{200b} x", Invisible),
        ("r\u{200c}m x", Invisible),
        ("r\u{200d}m x", Invisible),
        ("rm \u{2060}x", Invisible),
        ("rm a\u{ad}b", Invisible),
        ("rm \u{feff}x", Invisible),
        ("rm a\u{2062}b", Invisible),
        ("rm a\u{2063}b", Invisible),
        ("rm a\u{34f}b", Invisible),
        ("rm a\u{fe0f}b", Invisible),
        ("rm a\u{e0061}b", Invisible),
        ("rm a\u{e0101}b", Invisible),
        ("rm \u{3164}", Invisible),
        ("rm \u{115f}", Invisible),
        ("rm a\u{2028}b", Blank),
        ("rm\u{a0}-rf x", Blank),
        ("rm\u{2003}x", Blank),
        ("rm\u{2009}x", Blank),
        ("rm\u{202f}x", Blank),
        ("rm\u{3000}x", Blank),
        ("rm\u{1680}x", Blank),
        ("rm\u{2800}x", Blank),
        ("ls \u{1b}[2K", Control),
        ("ls \u{7}", Control),
        ("ls \u{8}\u{8}", Control),
        ("ls x\rrm y", Control),
        ("ls \u{7f}", Control),
        ("ls \u{9b}2K", Control),
        ("ls \u{85}", Control),
        ("rm \u{e000}", PrivateUse),
        ("rm \u{f8ff}x", PrivateUse),
        ("rm \u{f0001}", PrivateUse),
        ("curl https://pаypal.example", Homoglyph),
        ("ｒm x", Homoglyph),
        ("сat x", Homoglyph),
        ("ѕѕһ host", Homoglyph),
        ("ls Αdmin", Homoglyph),
        ("𝐫𝐦 x", Homoglyph),
        ("ⓡⓜ x", Homoglyph),
        ("ʟs x", Homoglyph),
        ("curl https://еха.example", Homoglyph),
        ("cat etc⁄passwd", Homoglyph),
        ("cat ∕etc", Homoglyph),
        ("ls ；rm x", Homoglyph),
        ("ls｜sh", Homoglyph),
        ("ls a\u{37e}rm", Homoglyph),
        ("rm –rf x", Homoglyph),
        ("ls —all", Homoglyph),
        ("curl evil․example", Homoglyph),
        ("rm s\u{336}a\u{336}fe", Combining),
        ("r\u{301}m x", Combining),
        ("rm a\u{301}\u{301}\u{301}\u{301}", Combining),
        ("rm -\u{338}x", Combining),
        ("rm /\u{338}x", Combining),
        ("rm a\u{20dd}", Combining),
        ("printf '\\033[2J\\033[1;1H'", TerminalEscape),
        ("echo -e '\\e]0;title\\a'", TerminalEscape),
        ("echo -e '\\x1b[1A'", TerminalEscape),
        ("printf '\\u001b[2K'", TerminalEscape),
        ("printf '\\33[8m'", TerminalEscape),
        ("echo -e 'safe\\rrm'", TerminalEscape),
        ("printf 'rm\\b\\bls'", TerminalEscape),
        ("x=$'\\e[2K'", TerminalEscape),
        ("rm $'\\e[1Ax'", TerminalEscape),
        ("rm $'a\\rb'", TerminalEscape),
        ("rm $'\\u009b2K'", TerminalEscape),
        ("ls > $'\\e]52;c;x'", TerminalEscape),
        ("rm $'\\u202ex'", Bidirectional),
        ("printf '\\u202e'", Bidirectional),
        ("printf '\\u200b'", Invisible),
        (&wide, Padding),
        (&tabs, Padding),
        (&high, Padding),
    ];
    assert!(table.len() >= 60);
    for (text, kind) in table {
        assert!(kinds(text).contains(kind), "{text:?} {kind:?}: {:?}", kinds(text));
    }
}

#[test]
fn honest_text_is_left() {
    let table = [
        "echo ✓ héllo",
        "echo ✔️ done",
        "echo ⚠️ careful",
        "echo ❤️",
        "echo 1️⃣ 2️⃣ #️⃣",
        "echo ©️ ®️ ™️",
        "echo ☎︎",
        "echo 👨‍👩‍👧‍👦",
        "echo 👩🏽‍💻",
        "echo 🏳️‍🌈",
        "echo ❤️‍🔥",
        "echo 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "echo 🇳🇴🇩🇪",
        "git commit -m '🚀 release'",
        "git commit -m 'Привет, мир'",
        "git commit -m 'Γειά σου Κόσμε'",
        "git commit -m 'Բարեւ'",
        "git commit -m 'שלום עולם'",
        "git commit -m 'مرحبا بالعالم'",
        "git commit -m 'می‌خواهم'",
        "git commit -m 'نمی‌دانم'",
        "git commit -m 'क्‍ष'",
        "git commit -m 'क्‌ष'",
        "git commit -m 'ശ്രീ'",
        "git commit -m 'ക്‍ക'",
        "git commit -m 'বাংলা র‍্যাব'",
        "git commit -m 'தமிழ்'",
        "git commit -m 'ภาษาไทย'",
        "git commit -m 'ភាសាខ្មែរ'",
        "git commit -m 'မြန်မာ'",
        "git commit -m '日本語　全角'",
        "git commit -m '修正：完了（一部）'",
        "git commit -m '한국어 커밋'",
        "git commit -m '葛󠄀城'",
        "git commit -m 'Größe – Straße'",
        "git commit -m 'Ærø, Ångström'",
        "git commit -m 'Türkçe: ısı, şapka, İzmir'",
        "git commit -m 'Tiếng Việt'",
        "git commit -m 'Tie\u{302}\u{301}ng'",
        "git commit -m 'cafe\u{301}'",
        "git commit -m 'naïve — really'",
        "git commit -m '“quoted” and ‘so’'",
        "git commit -m 'x → y, a ≤ b, ∀ε>0'",
        "git commit -m '5 μm, 10 Ω, π'",
        "git commit -m 'λ calculus'",
        "git commit -m '½ × ¾ ÷ ±'",
        "git commit -m '€ £ ¥ ₹'",
        "git commit -m '• item … more'",
        "git commit -m 'M² and H₂O'",
        "touch résumé.txt",
        "touch файл.txt",
        "touch 文件.txt",
        "ls /srv/données/été",
        "ls /данные/отчёт",
        "cat /home/josé/ñandú.md",
        "printf '\\033[31mred\\033[0m'",
        "echo -e '\\e[1;32mok\\e[0m'",
        "printf '\\e[38;5;8mgrey\\e[0m'",
        "printf '%s\\n' x",
        "printf '\\r%d%%' 5",
        "printf 'done\\r\\n'",
        "IFS=$'\\n\\t'",
        "tr -d $'\\r' < x",
        "grep $'\\t' x",
        "echo $'it\\'s'",
        "ls\t-l\nls",
        "cat <<E\n\n\n  text\nE",
        "cat <<E\nname            value            more\nE",
        "echo 你好",
        "echo '…'",
    ];
    assert!(table.len() >= 60);
    for text in table {
        assert_eq!(kinds(text), [], "{text:?}");
    }
}

#[test]
fn spans_are_bytes() {
    let text = "é\u{202e}x";
    let found = tricks(text, &CommandLine::default());
    assert_eq!((found[0].start, found[0].end, found[0].shown.as_str()), (2, 5, "⟨U+202E⟩"));
}
