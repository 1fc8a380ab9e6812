//! Documents that a query finds: few in a list, or many by passing over all others.

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, Score, TERMINATED};

/// Few documents.
pub struct Listed {
    documents: Vec<DocId>,
    at: usize,
}

impl Listed {
    /// Takes documents in their order.
    pub fn new(documents: Vec<DocId>) -> Listed {
        Listed { documents, at: 0 }
    }
}

impl DocSet for Listed {
    fn advance(&mut self) -> DocId {
        self.at += 1;
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let rest = self.documents.get(self.at..).unwrap_or_default();
        self.at += rest.partition_point(|document| *document < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.documents.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        self.documents.len() as u32
    }
}

impl Scorer for Listed {
    fn score(&mut self) -> Score {
        1.0
    }
}

/// Many documents, each found from the one before.
pub struct Passed<N> {
    /// Returns the first wanted document at or after a place.
    next: N,
    document: DocId,
    most: u32,
}

impl<N: FnMut(DocId) -> Option<DocId> + Send + Sync + 'static> Passed<N> {
    /// Begins with the first document; there are `most` at most.
    pub fn begin(most: u32, next: N) -> Box<dyn Scorer> {
        let mut passed = Passed { next, document: 0, most };
        passed.go_on(0);
        Box::new(passed)
    }

    fn go_on(&mut self, from: DocId) -> DocId {
        self.document = (self.next)(from).unwrap_or(TERMINATED);
        self.document
    }
}

impl<N: FnMut(DocId) -> Option<DocId> + Send + Sync + 'static> DocSet for Passed<N> {
    fn advance(&mut self) -> DocId {
        match self.document {
            TERMINATED => TERMINATED,
            document => self.go_on(document + 1),
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.document >= target { self.document } else { self.go_on(target) }
    }

    fn doc(&self) -> DocId {
        self.document
    }

    fn size_hint(&self) -> u32 {
        self.most
    }
}

impl<N: FnMut(DocId) -> Option<DocId> + Send + Sync + 'static> Scorer for Passed<N> {
    fn score(&mut self) -> Score {
        1.0
    }
}
