//! A pickle machine that executes nothing.
//!
//! Every operation makes at most one value, and values refer to one another by index, so memory is in proportion to the
//! pickle's bytes, nothing recurses, and a value that was memoized before it was filled is seen filled by all.
//! Operations: `Lib/pickletools.py` of Python, protocols 2 to 5.

use super::super::PickleError;
use std::collections::HashMap;

/// The operation that opens a pickle.
pub(super) const PROTO: u8 = 0x80;
const STOP: u8 = b'.';
/// The newest protocol.
const NEWEST: u8 = 5;
/// The longest name of a module, function or class, in bytes. The operation that joins two texts to one costs the pickle a few bytes however long
/// they are, and could be repeated.
const LONGEST_NAME: usize = 1024;

type Result<T> = std::result::Result<T, PickleError>;

/// Which value of a [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectId(usize);

/// A value.
#[derive(Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i128),
    Text(String),
    /// A float, bytes or a set: nothing that describes a tensor.
    Other,
    Tuple(Vec<ObjectId>),
    List(Vec<ObjectId>),
    Dict(Vec<(ObjectId, ObjectId)>),
    /// A function or class, `module.name`.
    Global(String),
    /// What calling `callable` would have made.
    Call {
        callable: ObjectId,
        args: ObjectId,
    },
    /// A reference to something outside the pickle.
    Persistent(ObjectId),
}

/// The values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    root: ObjectId,
}

impl Pickle {
    /// Decodes the pickle at the input's position and leaves the position after it.
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self> {
        Machine::new(input).run()
    }

    /// Returns the value that was pickled.
    pub(super) fn root(&self) -> &Object {
        self.get(self.root)
    }

    /// Returns a value.
    pub(super) fn get(&self, id: ObjectId) -> &Object {
        &self.objects[id.0]
    }

    /// Iterates over all values.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// Returns the text of a value that is text.
    pub(super) fn text(&self, id: ObjectId) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number of a value that is a size, an index or a count.
    pub(super) fn size(&self, id: ObjectId) -> Option<usize> {
        match self.get(id) {
            Object::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns the name of a value that is a function or class.
    pub(super) fn global(&self, id: ObjectId) -> Option<&str> {
        match self.get(id) {
            Object::Global(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the parts of a value that is a tuple or a list.
    pub(super) fn sequence(&self, id: ObjectId) -> Option<&[ObjectId]> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => Some(items),
            _ => None,
        }
    }
}

/// Bytes with a position.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// Starts at the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let at = self.at;
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| self.bytes[at..].get(..count))
            .ok_or(PickleError::Truncated { at, wanted: count })?;
        self.at += taken.len();
        Ok(taken)
    }

    /// Returns all bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Returns the next `N` bytes as a little-endian number.
    pub(super) fn unsigned<const N: usize>(&mut self) -> Result<u64> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn line(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&b| b == b'\n');
        let line = self.take(length.unwrap_or(rest.len()) as u64)?;
        self.take(1)?;
        Ok(line)
    }
}

struct Machine<'i, 'a> {
    input: &'i mut Input<'a>,
    objects: Vec<Object>,
    stack: Vec<ObjectId>,
    /// Heights of the stack; nothing below the last may be popped.
    marks: Vec<usize>,
    memo: HashMap<u64, ObjectId>,
    /// The operation under way and its position, for messages.
    current: (u8, usize),
}

impl<'i, 'a> Machine<'i, 'a> {
    fn new(input: &'i mut Input<'a>) -> Self {
        Self {
            input,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            current: (0, 0),
        }
    }

    fn run(mut self) -> Result<Pickle> {
        loop {
            let at = self.input.at;
            let opcode = self.input.byte()?;
            self.current = (opcode, at);
            if opcode == STOP {
                let root = self.pop()?;
                let objects = self.objects;
                return Ok(Pickle { objects, root });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        let made = match self.literal(opcode)? {
            Some(object) => Some(object),
            None => self.composed(opcode)?,
        };
        if let Some(object) = made {
            self.push(object);
        } else if !self.filled(opcode)? && !self.moved(opcode)? {
            let at = self.current.1;
            return Err(PickleError::UnknownOpcode { at, opcode });
        }
        Ok(())
    }

    /// Reads a value that stands in the input.
    fn literal(&mut self, opcode: u8) -> Result<Option<Object>> {
        let input = &mut *self.input;
        Ok(Some(match opcode {
            b'N' => Object::None,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'K' => Object::Int(input.unsigned::<1>()?.into()),
            b'M' => Object::Int(input.unsigned::<2>()?.into()),
            b'J' => integer(input.take(4)?),
            0x8a => {
                let length = input.unsigned::<1>()?;
                integer(input.take(length)?)
            }
            0x8b => {
                let length = input.unsigned::<4>()?;
                integer(input.take(length)?)
            }
            b'G' => skipped(input, 8)?,
            b'U' | 0x8c => text(input.unsigned::<1>()?, input)?,
            b'T' | b'X' => text(input.unsigned::<4>()?, input)?,
            0x8d => text(input.unsigned::<8>()?, input)?,
            b'C' => skipped_after::<1>(input)?,
            b'B' => skipped_after::<4>(input)?,
            0x8e | 0x96 => skipped_after::<8>(input)?,
            b')' => Object::Tuple(Vec::new()),
            b']' => Object::List(Vec::new()),
            b'}' => Object::Dict(Vec::new()),
            0x8f => Object::Other,
            b'c' => {
                let (module, name) = (input.line()?, input.line()?);
                let decode = String::from_utf8_lossy;
                Object::Global(format!("{}.{}", decode(module), decode(name)))
            }
            _ => return Ok(None),
        }))
    }

    /// Makes a value of those on the stack.
    fn composed(&mut self, opcode: u8) -> Result<Option<Object>> {
        Ok(Some(match opcode {
            b't' => Object::Tuple(self.pop_mark()?),
            0x85 => Object::Tuple(self.pop_many(1)?),
            0x86 => Object::Tuple(self.pop_many(2)?),
            0x87 => Object::Tuple(self.pop_many(3)?),
            0x91 => {
                self.pop_mark()?;
                Object::Other
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                Object::Global(format!("{}.{}", self.word(module)?, self.word(name)?))
            }
            b'Q' => Object::Persistent(self.pop()?),
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args)
            }
            0x92 => {
                let (_keywords, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, args)
            }
            _ => return Ok(None),
        }))
    }

    /// Puts values from the stack into the one below them; tells whether `opcode` does so.
    fn filled(&mut self, opcode: u8) -> Result<bool> {
        let items = match opcode {
            b'a' => self.pop_many(1)?,
            b's' => self.pop_many(2)?,
            b'e' | b'u' | 0x90 => self.pop_mark()?,
            // The state of an object, such as the `_metadata` of a state dict, describes no tensor.
            b'b' => {
                self.pop()?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        let fail = self.misused("the value to be filled is of another type");
        let target = self.top()?;
        match (&mut self.objects[target.0], opcode) {
            (Object::List(list), b'a' | b'e') => list.extend(items),
            (Object::Dict(dict), b's' | b'u') => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            (Object::Call { .. } | Object::Other, _) => {}
            _ => return Err(fail),
        }
        Ok(true)
    }

    /// Moves values between stack and memo; tells whether `opcode` does so.
    fn moved(&mut self, opcode: u8) -> Result<bool> {
        match opcode {
            PROTO => {
                if self.input.byte()? > NEWEST {
                    return Err(self.misused("the protocol is newer than 5"));
                }
            }
            0x95 => drop(self.input.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => {
                let key = self.input.unsigned::<1>()?;
                self.memoize(key)?;
            }
            b'r' => {
                let key = self.input.unsigned::<4>()?;
                self.memoize(key)?;
            }
            0x94 => self.memoize(self.memo.len() as u64)?,
            b'h' => {
                let key = self.input.unsigned::<1>()?;
                self.recall(key)?;
            }
            b'j' => {
                let key = self.input.unsigned::<4>()?;
                self.recall(key)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Records a call; that of an ordered dict alone is understood, because entries are put into it.
    fn call(&mut self, callable: ObjectId, args: ObjectId) -> Object {
        match (&self.objects[callable.0], &self.objects[args.0]) {
            (Object::Global(name), Object::Tuple(args)) if name == "collections.OrderedDict" => {
                let list = args.first().copied();
                Object::Dict(list.map_or_else(Vec::new, |list| self.take_pairs(list)))
            }
            _ => Object::Call { callable, args },
        }
    }

    /// Returns the entries of an ordered dict that Python 2 wrote as a list of pairs.
    ///
    /// The list exists for the call alone; taking it bounds memory where a pickle passes one list to many calls.
    fn take_pairs(&mut self, list: ObjectId) -> Vec<(ObjectId, ObjectId)> {
        let Object::List(list) = &mut self.objects[list.0] else {
            return Vec::new();
        };
        std::mem::take(list)
            .into_iter()
            .filter_map(|pair| match &self.objects[pair.0] {
                Object::List(pair) | Object::Tuple(pair) => Some((*pair.first()?, *pair.get(1)?)),
                _ => None,
            })
            .collect()
    }

    fn push(&mut self, object: Object) {
        self.stack.push(ObjectId(self.objects.len()));
        self.objects.push(object);
    }

    fn top(&self) -> Result<ObjectId> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if self.stack.len() > floor => Ok(id),
            _ => Err(self.misused("the stack is empty")),
        }
    }

    fn pop(&mut self) -> Result<ObjectId> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<ObjectId>> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        Ok(items)
    }

    fn pop_mark(&mut self) -> Result<Vec<ObjectId>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.misused("no mark was set")),
        }
    }

    fn memoize(&mut self, key: u64) -> Result<()> {
        let id = self.top()?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<()> {
        match self.memo.get(&key) {
            Some(&id) => self.stack.push(id),
            None => return Err(self.misused("nothing was memoized under this number")),
        }
        Ok(())
    }

    fn word(&self, id: ObjectId) -> Result<&str> {
        match &self.objects[id.0] {
            Object::Text(text) if text.len() > LONGEST_NAME => {
                Err(self.misused("a name is longer than 1024 bytes"))
            }
            Object::Text(text) => Ok(text),
            _ => Err(self.misused("a name is not text")),
        }
    }

    fn misused(&self, why: &'static str) -> PickleError {
        let (opcode, at) = self.current;
        PickleError::Misused { at, opcode, why }
    }
}

/// Reads a little-endian number in two's complement; one of more than 16 bytes describes nothing in a checkpoint.
fn integer(bytes: &[u8]) -> Object {
    if bytes.len() > 16 {
        return Object::Other;
    }
    let negative = bytes.last().is_some_and(|&b| b >= 0x80);
    let mut padded = [if negative { 0xff } else { 0 }; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    Object::Int(i128::from_le_bytes(padded))
}

fn text(length: u64, input: &mut Input<'_>) -> Result<Object> {
    let bytes = input.take(length)?;
    Ok(Object::Text(String::from_utf8_lossy(bytes).into_owned()))
}

fn skipped(input: &mut Input<'_>, length: u64) -> Result<Object> {
    input.take(length)?;
    Ok(Object::Other)
}

fn skipped_after<const N: usize>(input: &mut Input<'_>) -> Result<Object> {
    let length = input.unsigned::<N>()?;
    skipped(input, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Pickle> {
        Pickle::read(&mut Input::new(bytes))
    }

    #[test]
    fn integers_of_every_width_are_read() {
        let table: [(&[u8], i128); 7] = [
            (b"K\xff", 255),
            (b"M\xff\xff", 65_535),
            (b"J\xff\xff\xff\xff", -1),
            (b"\x8a\x00", 0),
            (b"\x8a\x02\x00\x80", -32_768),
            (b"\x8a\x02\xff\x00", 255),
            (b"\x8b\x01\x00\x00\x00\x07", 7),
        ];
        for (bytes, expected) in table {
            let pickle = read(&[bytes, b"."].concat()).unwrap();
            assert!(
                matches!(pickle.root(), Object::Int(n) if *n == expected),
                "{bytes:?}: {:?}",
                pickle.root()
            );
        }
    }

    #[test]
    fn a_value_memoized_before_it_is_filled_is_seen_filled() {
        // x = {}; (x, x) with x["a"] = 1 set after the memo.
        let pickle = read(b"\x80\x02}q\x00X\x01\x00\x00\x00aK\x01sh\x00\x86.").unwrap();
        let Object::Tuple(items) = pickle.root() else {
            panic!("{:?}", pickle.root())
        };
        assert_eq!(items[0], items[1]);
        let Object::Dict(entries) = pickle.get(items[1]) else {
            panic!("{:?}", pickle.get(items[1]))
        };
        assert_eq!(pickle.text(entries[0].0), Some("a"));
        assert_eq!(pickle.size(entries[0].1), Some(1));
    }

    #[test]
    fn an_ordered_dict_is_read_as_either_python_writes_it() {
        let filled = b"\x80\x02ccollections\nOrderedDict\n)RU\x01aK\x01s.";
        let from_pairs = b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.";
        for bytes in [&filled[..], from_pairs] {
            let pickle = read(bytes).unwrap();
            let Object::Dict(entries) = pickle.root() else {
                panic!("{:?}", pickle.root())
            };
            let entries: Vec<_> = entries
                .iter()
                .map(|&(key, value)| (pickle.text(key), pickle.size(value)))
                .collect();
            assert_eq!(entries, [(Some("a"), Some(1))]);
        }
    }

    #[test]
    fn the_position_is_left_after_the_pickle() {
        let mut input = Input::new(b"K\x01.K\x02.");
        for expected in [1, 2] {
            let pickle = Pickle::read(&mut input).unwrap();
            assert!(matches!(pickle.root(), Object::Int(n) if *n == expected));
        }
    }

    #[test]
    fn bad_pickles_say_where_and_why() {
        let table: [(&[u8], &str); 8] = [
            (b"", "it ends early, 1 more bytes expected at byte 0"),
            (
                b"X\xff\xff\xff\xff",
                "it ends early, 4294967295 more bytes expected at byte 5",
            ),
            (
                b"cos\nsystem",
                "it ends early, 1 more bytes expected at byte 10",
            ),
            (
                b"I1\n.",
                "operation 0x49 at byte 0 is unknown, expected one of protocols 2 to 5",
            ),
            (
                b"\x80\x06N.",
                "operation 0x80 at byte 0 fails: the protocol is newer than 5",
            ),
            (
                b"N(R.",
                "operation 0x52 at byte 2 fails: the stack is empty",
            ),
            (b"Nt.", "operation 0x74 at byte 1 fails: no mark was set"),
            (
                b"NNa.",
                "operation 0x61 at byte 2 fails: the value to be filled is of another type",
            ),
        ];
        for (bytes, message) in table {
            assert_eq!(read(bytes).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_list_passed_to_many_calls_is_not_copied() {
        let list = [
            &b"](](U\x01aK\x01e"[..],
            &b"](U\x01aK\x01e".repeat(1_000)[..],
            b"e\x85q\x01",
        ]
        .concat();
        let call = b"0h\x00h\x01R".repeat(1_000);
        let bytes = [
            b"\x80\x02ccollections\nOrderedDict\nq\x00",
            &list[..],
            &call[..],
            b".",
        ]
        .concat();
        let pickle = read(&bytes).unwrap();
        let entries = |object: &Object| match object {
            Object::Dict(entries) => entries.len(),
            _ => 0,
        };
        assert_eq!(pickle.objects().map(entries).sum::<usize>(), 1_001);
    }

    /// Five bytes of the pickle could otherwise take twice the longest text, as often as they are repeated.
    #[test]
    fn a_long_text_is_no_name() {
        let text = |length: u32| {
            [
                b"X",
                &length.to_le_bytes()[..],
                &vec![b'a'; length as usize],
            ]
            .concat()
        };
        let joined = |length| [&text(length)[..], b"q\x00h\x00\x93."].concat();
        let pickle = read(&joined(1024)).unwrap();
        assert!(matches!(pickle.root(), Object::Global(name) if name.len() == 2049));
        assert_eq!(
            read(&joined(1025)).unwrap_err().to_string(),
            "operation 0x93 at byte 1034 fails: a name is longer than 1024 bytes"
        );
    }

    #[test]
    fn deep_nesting_needs_no_recursion() {
        let mut bytes = vec![b'N'];
        bytes.resize(1_000_000, 0x85);
        bytes.push(b'.');
        assert!(matches!(read(&bytes).unwrap().root(), Object::Tuple(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
