//! Marks of a base into marks of the object that a delta makes of it: what was copied with its surroundings keeps its
//! marks, everything else is searched.

use super::delta::{From, Op, gather};
use super::lens::{Lens, Reach};
use crate::origin::ObjectKind;

/// A part of the object whose marks are those of the base.
#[derive(Clone, Copy)]
struct Zone {
    start: u32,
    end: u32,
    /// Where the base has what stands at `start`.
    base: u32,
}

/// A part of the scratch.
#[derive(Clone, Copy)]
struct Segment {
    /// Where it starts in the scratch.
    scratch: u32,
    /// Where it starts in the object.
    object: u32,
    /// The part of the object it answers for; what is around it is context.
    start: u32,
    end: u32,
}

/// Buffers that are used again for every object.
#[derive(Default)]
pub(super) struct Carry {
    zones: Vec<Zone>,
    segments: Vec<Segment>,
    scratch: Vec<u8>,
    found: Vec<u32>,
    /// Bytes given to the lens since the start.
    pub searched: u64,
}

/// A base with its marks, and what a delta does to it.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub kind: ObjectKind,
    pub base: &'a [u8],
    pub marks: &'a [u32],
    pub delta: &'a [u8],
    pub ops: &'a [Op],
    /// Bytes of the object.
    pub len: u32,
}

impl Carry {
    /// Adds the marks of the object to `out`, ascending: exactly those that the lens would give for the whole object.
    pub(super) fn marks<L: Lens>(&mut self, change: Change<'_>, lens: &mut L, out: &mut Vec<u32>) {
        let reach = lens.reach(change.kind);
        self.find_zones(&change, reach);
        self.fill_scratch(&change, reach);
        self.found.clear();
        if !self.scratch.is_empty() {
            lens.marks(change.kind, &self.scratch, &mut self.found);
            self.searched += self.scratch.len() as u64;
        }
        self.merge(change.marks, out);
    }

    /// The middle of each long copy. A position is carried if all its reach lies in the copy, or is cut off where
    /// both the base and the object are. Zones shorter than the reach are not worth two seams.
    fn find_zones(&mut self, change: &Change<'_>, reach: Reach) {
        self.zones.clear();
        for op in change.ops {
            let From::Base(base) = op.from else { continue };
            let starts = op.at == 0 && base == 0;
            let ends = op.at + op.len == change.len && (base + op.len) as usize == change.base.len();
            let left = if starts { 0 } else { reach.before };
            let right = if ends { 0 } else { reach.after - 1 };
            let margin = u64::from(left) + u64::from(right);
            if u64::from(op.len) > margin + u64::from(reach.before) + u64::from(reach.after) {
                self.zones.push(Zone { start: op.at + left, end: op.at + op.len - right, base: base + left });
            }
        }
    }

    /// What lies between the zones, each part with the context that its answers depend on. The parts need no
    /// separator: no answer that is asked for reaches beyond its own part. The object's start comes first and its
    /// end last, so the lens sees these two as what they are.
    fn fill_scratch(&mut self, change: &Change<'_>, reach: Reach) {
        self.segments.clear();
        self.scratch.clear();
        let (mut start, mut first) = (0, 0);
        let last = Zone { start: change.len, end: change.len, base: 0 };
        for zone in self.zones.iter().chain([&last]) {
            if start < zone.start {
                let object = start.saturating_sub(reach.before);
                let end = zone.start.saturating_add(reach.after - 1).min(change.len);
                let scratch = self.scratch.len() as u32;
                self.segments.push(Segment { scratch, object, start, end: zone.start });
                gather(change.ops, &mut first, (change.base, change.delta), (object, end), &mut self.scratch);
            }
            start = zone.end;
        }
    }

    /// Zones and segments take turns: both lists are ascending and together they are the object.
    fn merge(&self, marks: &[u32], out: &mut Vec<u32>) {
        let mut zones = self.zones.iter().peekable();
        let mut found = self.found.iter().copied().peekable();
        for segment in &self.segments {
            while let Some(zone) = zones.next_if(|zone| zone.start < segment.start) {
                zone.carry(marks, out);
            }
            let own = segment.start - segment.object..segment.end - segment.object;
            while found.next_if(|at| *at < segment.scratch + own.start).is_some() {}
            while let Some(at) = found.next_if(|at| *at < segment.scratch + own.end) {
                out.push(at - segment.scratch + segment.object);
            }
        }
        for zone in zones {
            zone.carry(marks, out);
        }
    }
}

impl Zone {
    fn carry(&self, marks: &[u32], out: &mut Vec<u32>) {
        let end = self.base + (self.end - self.start);
        let from = marks.partition_point(|at| *at < self.base);
        let to = from + marks[from..].partition_point(|at| *at < end);
        out.extend(marks[from..to].iter().map(|at| at - self.base + self.start));
    }
}
