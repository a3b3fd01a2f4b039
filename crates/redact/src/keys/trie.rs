//! Names, symbol by symbol.

use std::collections::VecDeque;

use super::{SYMBOLS, symbols};

pub(super) const ROOT: u32 = 0;

#[derive(Debug)]
pub(super) struct Trie<T> {
    pub(super) nodes: Vec<Node<T>>,
}

#[derive(Debug)]
pub(super) struct Node<T> {
    pub(super) next: [u32; SYMBOLS],
    // What ends here; for words the longest first, those of the suffixes included.
    ends: Vec<T>,
}

impl<T: Copy> Trie<T> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node { next: [ROOT; SYMBOLS], ends: Vec::new() }] }
    }

    pub(super) fn insert(&mut self, name: &str, end: T) {
        let mut at = ROOT;
        for symbol in symbols(name) {
            at = match self.step(at, symbol) {
                Some(next) => next,
                None => self.grow(at, symbol),
            };
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.ends = vec![end];
        }
    }

    fn grow(&mut self, at: u32, symbol: u8) -> u32 {
        // Names are written by hand: there are no four thousand million letters of them.
        let new = u32::try_from(self.nodes.len()).unwrap_or(ROOT);
        self.nodes.push(Node { next: [ROOT; SYMBOLS], ends: Vec::new() });
        if let Some(next) = self.next_mut(at, symbol) {
            *next = new;
        }
        new
    }

    pub(super) fn step(&self, at: u32, symbol: u8) -> Option<u32> {
        let node = self.nodes.get(at as usize)?;
        node.next.get(usize::from(symbol)).copied().filter(|next| *next != ROOT)
    }

    fn next_mut(&mut self, at: u32, symbol: u8) -> Option<&mut u32> {
        self.nodes.get_mut(at as usize)?.next.get_mut(usize::from(symbol))
    }

    pub(super) fn ends(&self, at: u32) -> &[T] {
        self.nodes.get(at as usize).map_or(&[], |node| &node.ends)
    }

    pub(super) fn end(&self, at: u32) -> Option<T> {
        self.ends(at).first().copied()
    }

    /// Makes the trie an automaton: where a node has no step, it takes that of its longest proper
    /// suffix, breadth first.
    pub(super) fn link(&mut self) {
        let mut queue = VecDeque::from([(ROOT, ROOT)]);
        while let Some((at, suffix)) = queue.pop_front() {
            if at != ROOT {
                let ends = self.ends(suffix).to_vec();
                if let Some(node) = self.nodes.get_mut(at as usize) {
                    node.ends.extend(ends);
                }
            }
            for symbol in (0..).take(SYMBOLS) {
                let along = if at == ROOT { None } else { self.step(suffix, symbol) };
                match self.step(at, symbol) {
                    Some(next) => queue.push_back((next, along.unwrap_or(ROOT))),
                    None => {
                        if let (Some(next), Some(along)) = (self.next_mut(at, symbol), along) {
                            *next = along;
                        }
                    }
                }
            }
        }
    }
}
