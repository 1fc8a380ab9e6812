//! The guide for a terminal: colours, links, and lines as wide as the screen.

mod chosen;

use analyzer::changes::Kind;
use analyzer::diagnosis::{Proof, Verdict};
use analyzer::record::without_transport;
use analyzer::taxonomy::Safety;

use crate::Screen;
use crate::escape::printable;
use crate::guide::{Cause, Guide, Quote, in_words, short};
use crate::prose::{self, Paragraph, Piece};
use crate::wrap::{hard_wrapped, visible_width, width_of};
use chosen::{lines_to_show, with_short_ids, worth_showing};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const CYAN: &str = "\u{1b}[36m";
/// How many lines of the screen the line that tells takes, and any other line of a record.
const MOST_TELLING: usize = 6;
const MOST_OTHER: usize = 2;
/// A guide longer than this says its verdict again at the end.
const ONE_SCREEN: usize = 40;

/// Renders a guide with colour codes; whoever prints it removes them where they are not wanted.
pub fn render(guide: &Guide, screen: Screen) -> String {
    let mut page = Page::new(screen);
    page.headline(guide);
    if let Some(root) = &guide.root {
        page.heading("What happened");
        for sentence in &guide.happened {
            page.markdown(sentence, 2);
        }
        page.root(root, guide);
        page.evidence(guide);
    }
    if !guide.to_do.is_empty() {
        page.heading("What to do now");
        page.markdown(&guide.to_do, 2);
        page.remedies(guide);
    }
    page.next(guide);
    page.changes(guide);
    page.list("Ruled out", guide.ruled_out.iter().map(|ruled| (ruled.cause.clone(), ruled.because.clone())));
    page.timeline(guide);
    page.gaps(guide);
    page.footer(guide);
    if page.out.lines().count() > ONE_SCREEN {
        // What a person sees when everything has scrolled by.
        page.out.push('\n');
        page.headline(guide);
    }
    page.out
}

/// Renders Markdown of Medic's own, such as a page, for a terminal.
pub fn page(markdown: &str, screen: Screen) -> String {
    let mut page = Page::new(screen);
    page.markdown(markdown, 0);
    page.out
}

struct Page {
    out: String,
    /// How wide sentences are; longer lines are hard to read.
    width: usize,
    /// How wide records are.
    screen: usize,
    hyperlinks: bool,
}

impl Page {
    fn new(screen: Screen) -> Page {
        Page {
            out: String::new(),
            width: screen.width.clamp(40, 120),
            screen: screen.width.clamp(40, 400),
            hyperlinks: screen.hyperlinks,
        }
    }

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
        let sure = format!("{confidence} %, {}", in_words(root.confidence));
        self.headed(&format!("{BOLD}{}{RESET}", printable(&root.id)), &format!("{DIM}{sure}{RESET}"));
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

    /// Writes a heading of a part with what is said beside it, or below it where the line is too short.
    fn headed(&mut self, name: &str, beside: &str) {
        let fits = 4 + visible_width(name) + visible_width(beside) <= self.width;
        self.out.push_str(&format!("  {name}{}{beside}\n", if fits { "  " } else { "\n  " }));
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
        let time = quote.time.map(|time| format!("  {}", short(time))).unwrap_or_default();
        let count = if quote.count > 1 { format!("  ×{}", quote.count) } else { String::new() };
        let source = quote.source.as_str();
        // What a narrow screen does not hold in one line: the place gets its own.
        let is_wide =
            6 + width_of(source) + width_of(&place) + width_of(&time) + width_of(&count) > self.width;
        // A log group begins like a path, and its stream follows a `#`.
        let is_file = quote.stream.starts_with('/') && !quote.stream.contains('#');
        let place = match is_file && self.hyperlinks {
            true => format!("\u{1b}]8;;file://{}\u{1b}\\{place}\u{1b}]8;;\u{1b}\\", url_path(&quote.stream)),
            false => place,
        };
        let place =
            if is_wide { format!("{time}{count}\n    {place}") } else { format!("  {place}{time}{count}") };
        self.out.push_str(&format!("  {BOLD}{number}{RESET} {DIM}{source}{place}{RESET}\n"));
        for line in lines_to_show(quote) {
            let room = self.screen.saturating_sub(6);
            // A line that is broken at words holds less than it could.
            let held = room - room / 10;
            let (colour, most) = match quote.is_telling(&line) {
                true => (RED, MOST_TELLING),
                false => (DIM, MOST_OTHER),
            };
            let line = quote.shortened(&line, held * most);
            for part in hard_wrapped(&printable(&line).replace('\t', "    "), room, most + 1) {
                self.out.push_str(&format!("    {DIM}│{RESET} {colour}{part}{RESET}\n"));
            }
        }
        if !quote.show.is_empty() {
            self.out.push_str(&format!("    {DIM}└ {}{RESET}\n", printable(&quote.show)));
        }
    }

    fn remedies(&mut self, guide: &Guide) {
        for remedy in &guide.remedies {
            let colour = match remedy.safety {
                Safety::Safe => GREEN,
                Safety::Disruptive => YELLOW,
                Safety::Irreversible => RED,
                Safety::Manual => CYAN,
            };
            let word = remedy.safety.in_words();
            self.plain(
                &format!("  {colour}[{word}]{RESET} "),
                5,
                &format!("{} (about {} min)", remedy.title, remedy.estimated_minutes),
            );
            if let Some(caution) = &remedy.caution {
                self.plain(&format!("     {YELLOW}caution{RESET} "), 13, caution);
            }
            // Commands stay in one line, so that they can be copied.
            let commands =
                [("preview", &remedy.preview), ("do     ", &remedy.apply), ("verify ", &remedy.verify)];
            for (name, command) in commands {
                if let Some(command) = command {
                    self.out.push_str(&format!("     {DIM}{name}{RESET} {}\n", printable(command)));
                }
            }
            match (&remedy.undo_command, &remedy.undo) {
                (Some(command), _) => {
                    self.out.push_str(&format!("     {DIM}undo   {RESET} {}\n", printable(command)));
                }
                (None, Some(undo)) => self.plain(&format!("     {DIM}undo   {RESET} "), 13, undo),
                (None, None) => {}
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

    fn changes(&mut self, guide: &Guide) {
        let Some(changes) = &guide.changes else { return };
        self.heading("What changed since the last good deployment");
        self.plain("  ", 2, &changes.says.replace('`', ""));
        for item in &changes.items {
            let (colour, mark) = match item.kind {
                Kind::Added => (GREEN, "+"),
                Kind::Removed => (RED, "-"),
                Kind::Changed => (YELLOW, "~"),
            };
            let whose = item.container.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let named = if item.is_named { " (named by the root cause)" } else { "" };
            let pieces = [
                Piece {
                    text: printable(&format!("{whose}{}", item.what)),
                    code: false,
                    strong: item.is_named,
                },
                Piece { text: printable(&format!(" {}{named}", item.says)), code: false, strong: false },
            ];
            self.wrapped(&format!("  {colour}{mark}{RESET} "), 4, 4, &pieces);
        }
        if let Some(show) = &changes.show {
            self.out.push_str(&format!("    {DIM}└ {}{RESET}\n", printable(show)));
        }
    }

    fn timeline(&mut self, guide: &Guide) {
        if guide.timeline.is_empty() {
            return;
        }
        self.heading("Timeline");
        let is_one_day = guide.one_day().is_some();
        let shown = worth_showing(&guide.timeline);
        let mut left_out = 0;
        for (moment, is_shown) in guide.timeline.iter().zip(shown) {
            if !is_shown {
                left_out += 1;
                continue;
            }
            self.left_out(std::mem::take(&mut left_out));
            let time = moment.time.map_or_else(
                || " ".repeat(if is_one_day { 8 } else { 14 }),
                |time| time.strftime(if is_one_day { "%H:%M:%S" } else { "%m-%d %H:%M:%S" }).to_string(),
            );
            let mark =
                if moment.cause.is_some() { format!("{RED}●{RESET}") } else { format!("{DIM}·{RESET}") };
            let count = if moment.count > 1 { format!(" ×{}", moment.count) } else { String::new() };
            let text = with_short_ids(&printable(without_transport(&moment.text)).replace('\t', " "));
            let room = self.screen.saturating_sub(6 + time.len() + count.chars().count());
            let line = hard_wrapped(text.trim(), room, 1).into_iter().next().unwrap_or_default();
            self.out.push_str(&format!("  {DIM}{time}{RESET} {mark} {line}{DIM}{count}{RESET}\n"));
        }
        self.left_out(left_out);
    }

    fn left_out(&mut self, count: usize) {
        if count > 0 {
            self.out.push_str(&format!("           {DIM}… {count} more; other formats list them{RESET}\n"));
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
        let kinds: Vec<String> =
            guide.redactions.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let redacted = format!("{}{kinds}", crate::redacted(guide));
        self.out.push_str(&format!("\n{DIM}{}; {redacted}{RESET}\n", crate::read(guide)));
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
        if paragraph.is_heading {
            let text: String = paragraph.pieces.iter().map(|piece| piece.text.as_str()).collect();
            self.heading(&text);
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

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::{Level, Source};

    #[track_caller]
    fn evidence(line: &str, told: &str, width: usize) -> String {
        let at = line.find(told).unwrap();
        let quote = Quote {
            text: line.to_owned(),
            said: None,
            line: line.to_owned(),
            told: Some(at..at + told.len()),
            source: Source::EcsStoppedTask,
            stream: "tasks.json".to_owned(),
            line_number: 1,
            time: None,
            level: Level::Error,
            entity: None,
            count: 1,
            show: String::new(),
        };
        let mut page = Page::new(Screen { width, hyperlinks: false });
        page.quote(1, &quote);
        page.out
    }

    #[test]
    fn the_words_that_tell_are_shown_on_any_screen() {
        let why = "AccessDenied: not authorized";
        let line = format!("task STOPPED: {}{why}{}", "retried and ".repeat(60), " once more".repeat(60));
        for width in [40, 80, 120, 200] {
            let shown = evidence(&line, why, width);
            let text: String =
                shown.split('│').skip(1).map(|part| part.split('\n').next().unwrap()).collect();
            let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("STOPPED") && words.contains("AccessDenied"), "{width}: {words}");
            assert!(shown.lines().count() <= 9, "{width}: {shown}");
        }
    }
}
