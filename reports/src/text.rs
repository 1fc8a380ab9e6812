//! The guide for a terminal: colours, links, and lines as wide as the screen.

use analyzer::diagnosis::{Proof, Verdict};
use analyzer::taxonomy::Safety;
use unicode_width::UnicodeWidthChar;

use crate::Screen;
use crate::escape::{printable, without_transport};
use crate::guide::{Cause, Guide, Quote, in_words, short};
use crate::prose::{self, Paragraph, Piece};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const CYAN: &str = "\u{1b}[36m";
/// How many lines of a record are shown.
const MOST_LINES: usize = 6;

/// Renders a guide with colour codes; whoever prints it removes them where they are not wanted.
pub fn render(guide: &Guide, screen: Screen) -> String {
    let mut page =
        Page { out: String::new(), width: screen.width.clamp(40, 120), hyperlinks: screen.hyperlinks };
    page.headline(guide);
    if let Some(root) = &guide.root {
        page.heading("What happened");
        for sentence in &guide.happened {
            page.markdown(sentence, 2);
        }
        page.root(root, guide);
        page.evidence(guide);
        page.heading("What to do now");
        page.markdown(&guide.to_do, 2);
        page.remedies(guide);
    }
    page.next(guide);
    page.list("What changed", guide.changed.iter().map(|change| (String::new(), change.clone())));
    page.list("Ruled out", guide.ruled_out.iter().map(|ruled| (ruled.cause.clone(), ruled.because.clone())));
    page.timeline(guide);
    page.gaps(guide);
    page.footer(guide);
    page.out
}

struct Page {
    out: String,
    width: usize,
    hyperlinks: bool,
}

impl Page {
    fn headline(&mut self, guide: &Guide) {
        let (mark, colour) = match guide.verdict {
            Verdict::Healthy => ("✔", GREEN),
            Verdict::Failed => ("✘", RED),
            Verdict::CannotTell => ("?", YELLOW),
        };
        let pieces = [Piece { text: printable(&guide.headline).replace('`', ""), code: false, strong: true }];
        self.wrapped(&format!("{colour}{BOLD}{mark}{RESET} "), 2, 2, &pieces);
    }

    fn heading(&mut self, title: &str) {
        self.out.push_str(&format!("\n{BOLD}{CYAN}{title}{RESET}\n"));
    }

    fn root(&mut self, root: &Cause, guide: &Guide) {
        self.heading("Root cause");
        let confidence = (root.confidence * 100.0).round();
        self.out.push_str(&format!(
            "  {BOLD}{}{RESET}  {DIM}{confidence} %, {}{RESET}\n",
            printable(&root.id),
            in_words(root.confidence)
        ));
        let proof = match root.proof {
            Proof::Confirmed => format!("{GREEN}confirmed{RESET}"),
            Proof::Refuted => format!("{YELLOW}refuted{RESET}"),
            Proof::Unchecked => format!("{YELLOW}not checked against the account{RESET}"),
        };
        self.out.push_str(&format!("  proof: {proof}; severity: {}\n", root.severity.as_str()));
        for said in &root.proof_says {
            self.plain("  - ", 4, said);
        }
        for because in &root.confidence_because {
            self.plain(&format!("  {DIM}because{RESET} "), 10, because);
        }
        if guide.chain.len() > 1 {
            self.out.push_str("  It explains:\n");
            for (depth, link) in guide.chain.iter().enumerate().skip(1) {
                self.plain(&format!("  {}└─ ", "  ".repeat(depth - 1)), 5 + 2 * (depth - 1), &link.title);
            }
        }
    }

    fn evidence(&mut self, guide: &Guide) {
        if guide.evidence.is_empty() {
            return;
        }
        self.heading("Evidence");
        for (number, quote) in guide.evidence.iter().enumerate() {
            self.quote(number + 1, quote);
        }
    }

    fn quote(&mut self, number: usize, quote: &Quote) {
        let place = if quote.line_number > 0 {
            format!("{}:{}", quote.stream, quote.line_number)
        } else {
            quote.stream.clone()
        };
        let place = printable(&place);
        let place = match std::path::Path::new(&quote.stream).is_absolute() && self.hyperlinks {
            true => format!("\u{1b}]8;;file://{}\u{1b}\\{place}\u{1b}]8;;\u{1b}\\", url_path(&quote.stream)),
            false => place,
        };
        let time = quote.time.map(|time| format!("  {}", short(time))).unwrap_or_default();
        let count = if quote.count > 1 { format!("  ×{}", quote.count) } else { String::new() };
        self.out.push_str(&format!(
            "  {BOLD}{number}{RESET} {DIM}{}  {place}{time}{count}{RESET}\n",
            quote.source.as_str()
        ));
        for line in lines_to_show(quote) {
            let colour = if line.trim_end() == quote.line.trim_end() { RED } else { DIM };
            let line = without_transport(&line);
            for part in hard_wrapped(&printable(line).replace('\t', "    "), self.width.saturating_sub(6), 3)
            {
                self.out.push_str(&format!("    {DIM}│{RESET} {colour}{part}{RESET}\n"));
            }
        }
        if !quote.show.is_empty() {
            self.out.push_str(&format!("    {DIM}└ {}{RESET}\n", printable(&quote.show)));
        }
    }

    fn remedies(&mut self, guide: &Guide) {
        for remedy in &guide.remedies {
            let (colour, word) = match remedy.safety {
                Safety::Safe => (GREEN, "safe"),
                Safety::Disruptive => (YELLOW, "disruptive"),
                Safety::Irreversible => (RED, "irreversible"),
                Safety::Manual => (CYAN, "by hand"),
            };
            self.plain(
                &format!("  {colour}[{word}]{RESET} "),
                5,
                &format!("{} (about {} min)", remedy.title, remedy.estimated_minutes),
            );
            if let Some(undo) = &remedy.undo {
                self.plain(&format!("     {DIM}undo{RESET} "), 10, undo);
            }
            if let Some(preview) = &remedy.preview {
                self.out.push_str(&format!("     {DIM}preview{RESET} {}\n", printable(preview)));
            }
        }
    }

    fn next(&mut self, guide: &Guide) {
        let items = guide
            .next
            .iter()
            .map(|next| (next.class.as_str().to_owned(), format!("{} ({})", next.title, next.because)));
        self.list("What would fail next", items);
    }

    fn timeline(&mut self, guide: &Guide) {
        if guide.timeline.is_empty() {
            return;
        }
        self.heading("Timeline");
        for moment in &guide.timeline {
            let time =
                moment.time.map_or_else(|| " ".repeat(8), |time| time.strftime("%H:%M:%S").to_string());
            let mark =
                if moment.cause.is_some() { format!("{RED}●{RESET}") } else { format!("{DIM}·{RESET}") };
            let count = if moment.count > 1 { format!(" ×{}", moment.count) } else { String::new() };
            let text = printable(without_transport(&moment.text)).replace('\t', " ");
            let room = self.width.saturating_sub(14 + count.len());
            let line = hard_wrapped(text.trim(), room, 1).into_iter().next().unwrap_or_default();
            self.out.push_str(&format!("  {DIM}{time}{RESET} {mark} {line}{DIM}{count}{RESET}\n"));
        }
    }

    fn gaps(&mut self, guide: &Guide) {
        let items = guide.gaps.iter().map(|gap| {
            let remedy = gap.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            (gap.what.clone(), format!("{}{remedy}", gap.because))
        });
        self.list("What Medic could not see", items);
    }

    fn footer(&mut self, guide: &Guide) {
        let redacted = match guide.redacted() {
            0 => "no secrets were found".to_owned(),
            count => {
                let kinds: Vec<String> =
                    guide.redactions.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
                format!("{count} secrets were removed ({})", kinds.join(", "))
            }
        };
        self.out.push_str(&format!(
            "\n{DIM}{} records in {} streams; {redacted}{RESET}\n",
            guide.records, guide.streams
        ));
    }

    fn list(&mut self, title: &str, items: impl Iterator<Item = (String, String)>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.heading(title);
        for (name, text) in items {
            let pieces = [
                Piece { text: printable(&name), code: false, strong: true },
                Piece {
                    text: if name.is_empty() { printable(&text) } else { format!(": {}", printable(&text)) },
                    code: false,
                    strong: false,
                },
            ];
            self.wrapped("  - ", 4, 4, &pieces);
        }
    }

    fn plain(&mut self, start: &str, indent: usize, text: &str) {
        let piece = Piece { text: printable(text), code: false, strong: false };
        self.wrapped(start, visible_width(start), indent, &[piece]);
    }

    fn markdown(&mut self, markdown: &str, indent: usize) {
        for paragraph in prose::paragraphs(markdown) {
            self.paragraph(&paragraph, indent);
        }
    }

    fn paragraph(&mut self, paragraph: &Paragraph, indent: usize) {
        let indent = indent + 3 * paragraph.depth.saturating_sub(1);
        if paragraph.verbatim {
            let text: String = paragraph.pieces.iter().map(|piece| piece.text.as_str()).collect();
            for line in text.lines() {
                self.out.push_str(&format!("{}{CYAN}{line}{RESET}\n", " ".repeat(indent + 3)));
            }
            return;
        }
        let start = format!("{}{}", " ".repeat(indent), paragraph.marker);
        let hanging = indent + paragraph.marker.chars().count();
        self.wrapped(&start, hanging, hanging, &paragraph.pieces);
    }

    /// Writes words until the line is full; a word that is too long gets its own line.
    fn wrapped(&mut self, start: &str, start_width: usize, indent: usize, pieces: &[Piece]) {
        self.out.push_str(start);
        let mut column = start_width;
        let mut fresh = true;
        let mut glued = false;
        for piece in pieces {
            let (on, off) = match (piece.code, piece.strong) {
                (true, _) => (CYAN, RESET),
                (_, true) => (BOLD, RESET),
                _ => ("", ""),
            };
            let starts_with_space = piece.text.starts_with(char::is_whitespace);
            for (index, word) in piece.text.split_whitespace().enumerate() {
                let joins = index == 0 && glued && !starts_with_space;
                let width = width_of(word);
                let space = usize::from(!fresh && !joins);
                if !fresh && column + space + width > self.width && !joins {
                    self.out.push('\n');
                    self.out.push_str(&" ".repeat(indent));
                    column = indent;
                } else if space == 1 {
                    self.out.push(' ');
                    column += 1;
                }
                self.out.push_str(on);
                self.out.push_str(word);
                self.out.push_str(off);
                column += width;
                fresh = false;
            }
            glued = !piece.text.ends_with(char::is_whitespace) && !piece.text.is_empty();
        }
        self.out.push('\n');
    }
}

/// Shows the head of a record and what stands around the line that tells.
fn lines_to_show(quote: &Quote) -> Vec<String> {
    let lines: Vec<&str> = quote.text.lines().collect();
    if lines.len() <= MOST_LINES {
        return lines.iter().map(|line| (*line).to_owned()).collect();
    }
    let telling = lines.iter().position(|line| line.trim_end() == quote.line.trim_end()).unwrap_or(0);
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        if index < 2 || index.abs_diff(telling) <= 1 {
            if left_out > 0 {
                shown.push(format!("… {left_out} lines …"));
            }
            left_out = 0;
            shown.push((*line).to_owned());
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        shown.push(format!("… {left_out} lines …"));
    }
    shown
}

fn hard_wrapped(line: &str, width: usize, most: usize) -> Vec<String> {
    let width = width.max(20);
    let mut parts = vec![String::new()];
    let mut column = 0;
    for c in line.chars() {
        let wide = c.width().unwrap_or(0);
        if column + wide > width {
            if parts.len() == most {
                if let Some(last) = parts.last_mut() {
                    last.pop();
                    last.push('…');
                }
                return parts;
            }
            parts.push(String::new());
            column = 0;
        }
        column += wide;
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The width of a text that holds colour codes.
fn visible_width(text: &str) -> usize {
    let mut width = 0;
    let mut in_code = false;
    for c in text.chars() {
        match (in_code, c) {
            (false, '\u{1b}') => in_code = true,
            (true, 'm') => in_code = false,
            (true, _) => {}
            (false, c) => width += c.width().unwrap_or(0),
        }
    }
    width
}

fn url_path(path: &str) -> String {
    let mut url = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => url.push(byte as char),
            byte if byte.is_ascii_alphanumeric() => url.push(byte as char),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}
