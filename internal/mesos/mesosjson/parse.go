package mesosjson

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SyntaxError is what the original's parser says about text that is not JSON. Handlers put their own words before it, for
// example "Failed to parse body into JSON: ".
type SyntaxError struct {
	Message string
}

func (e *SyntaxError) Error() string { return e.Message }

// maxDepth is how deep arrays and objects may nest (STOUT_JSON_MAX_DEPTH).
const maxDepth = 200

// Parse reads one JSON value with the leniencies and error texts of the original (stout's JSON::parse over picojson 1.3.0):
// leading zeros and "1." pass, white space may surround the value, the last of several equal keys counts, integers beyond 64 bits
// become doubles. The error is a *SyntaxError.
func Parse(data []byte) (Value, error) {
	return parse(string(data))
}

// ParseKind is Parse for a value that must be of one kind (stout's JSON::parse<T>).
func ParseKind(data []byte, kind Kind) (Value, error) {
	return parseKind(string(data), kind)
}

func parseKind(text string, kind Kind) (Value, error) {
	v, err := parse(text)
	if err == nil && v.kind != kind {
		return Value{}, &SyntaxError{"Unexpected JSON type parsed"}
	}
	return v, err
}

func parse(text string) (Value, error) {
	p := parser{text: text, last: noCharacter, line: 1}
	var v Value
	if !p.value(&v, maxDepth) {
		if p.overflow {
			return Value{}, &SyntaxError{"Value out of range"}
		}
		return Value{}, &SyntaxError{p.near()}
	}
	// Nothing but white space may follow. The position is the parser's, who has read one character too many when a number
	// was the whole value: "5s" passes, and "5 " does not.
	visible := strings.TrimRight(text, " \t\n\r")
	if p.next != len(visible) {
		rest := text[p.next:]
		if p.next < len(visible) {
			rest = visible[p.next:]
		}
		return Value{}, &SyntaxError{"Parsed JSON included non-whitespace trailing characters: " + rest}
	}
	return v, nil
}

// noCharacter stands for the end of the text.
const noCharacter = -1

// parser reads like picojson's input class: one character of look-ahead, and lines counted when the character after a line
// feed is read. Both show in the error texts.
type parser struct {
	text     string
	next     int // what get reads next, unless unread
	last     int // the character read last
	unread   bool
	line     int
	overflow bool
}

func (p *parser) get() int {
	if p.unread {
		p.unread = false
		return p.last
	}
	if p.next == len(p.text) {
		p.last = noCharacter
		return noCharacter
	}
	if p.last == '\n' {
		p.line++
	}
	p.last = int(p.text[p.next])
	p.next++
	return p.last
}

func (p *parser) unget() {
	if p.last != noCharacter {
		p.unread = true
	}
}

// expect skips white space and takes the wanted character if it comes next.
func (p *parser) expect(want int) bool {
	for {
		switch c := p.get(); c {
		case want:
			return true
		case ' ', '\t', '\n', '\r':
		default:
			p.unget()
			return false
		}
	}
}

// near is the error text: the rest of the line from the character that was not understood, without control characters.
func (p *parser) near() string {
	var b strings.Builder
	b.WriteString("syntax error at line ")
	b.WriteString(strconv.Itoa(p.line))
	b.WriteString(" near: ")
	for {
		switch c := p.get(); {
		case c == noCharacter || c == '\n':
			return b.String()
		case c >= ' ':
			b.WriteByte(byte(c))
		}
	}
}

// value reads one value into v. depth is how many more levels may open.
func (p *parser) value(v *Value, depth int) bool {
	c := p.get()
	for c == ' ' || c == '\t' || c == '\n' || c == '\r' {
		c = p.get()
	}
	switch {
	case c == 'n':
		*v = Value{}
		return p.word("ull")
	case c == 'f':
		*v = Value{kind: Bool}
		return p.word("alse")
	case c == 't':
		*v = Value{kind: Bool, bits: 1}
		return p.word("rue")
	case c == '"':
		*v = Value{kind: String}
		return p.string(&v.text)
	case c == '[':
		return p.array(v, depth)
	case c == '{':
		return p.object(v, depth)
	case '0' <= c && c <= '9' || c == '-':
		p.unget()
		return p.number(v)
	}
	p.unget()
	return false
}

func (p *parser) word(rest string) bool {
	for i := range len(rest) {
		if p.get() != int(rest[i]) {
			p.unget()
			return false
		}
	}
	return true
}

func (p *parser) array(v *Value, depth int) bool {
	if depth == 0 {
		return false
	}
	*v = Value{kind: ArrayKind}
	if p.expect(']') {
		return true
	}
	var elements []Value
	for {
		elements = append(elements, Value{})
		if !p.value(&elements[len(elements)-1], depth-1) {
			return false
		}
		if !p.expect(',') {
			v.inside = &content{elements: elements}
			return p.expect(']')
		}
	}
}

func (p *parser) object(v *Value, depth int) bool {
	if depth == 0 {
		return false
	}
	*v = Value{kind: ObjectKind}
	if p.expect('}') {
		return true
	}
	var members []Member
	for {
		var key string
		if !p.expect('"') || !p.string(&key) || !p.expect(':') {
			return false
		}
		members = append(members, Member{Key: key})
		if !p.value(&members[len(members)-1].Value, depth-1) {
			return false
		}
		if !p.expect(',') {
			v.inside = &content{members: sortMembers(members)}
			return p.expect('}')
		}
	}
}

// sortMembers brings the keys into byte-wise order and keeps the last of equal ones.
func sortMembers(members []Member) []Member {
	byKey := func(a, b Member) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(members, byKey) {
		slices.SortStableFunc(members, byKey)
	}
	kept := members[:0]
	for i, m := range members {
		if i+1 == len(members) || members[i+1].Key != m.Key {
			kept = append(kept, m)
		}
	}
	return kept
}

// number takes every character that can stand in a number and asks afterwards whether they make one.
func (p *parser) number(v *Value) bool {
	if p.unread {
		p.unread = false
		p.next--
	}
	start := p.next
	for p.next < len(p.text) && isNumeric(p.text[p.next]) {
		p.next++
	}
	text := p.text[start:p.next]
	p.last = int(text[len(text)-1])
	p.get()
	p.unget()
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*v = Value{kind: Number, integer: true, bits: uint64(n)}
		return true
	}
	f, err := strconv.ParseFloat(text, 64)
	if math.IsInf(f, 0) {
		p.overflow = true
		return false
	}
	*v = Value{kind: Number, bits: math.Float64bits(f)}
	return err == nil
}

func isNumeric(c byte) bool {
	return '0' <= c && c <= '9' || c == '+' || c == '-' || c == 'e' || c == 'E' || c == '.'
}

// string reads up to the closing quote. Bytes below 0x20 are refused; invalid UTF-8 passes.
func (p *parser) string(s *string) bool {
	start := p.next // the opening quote was read, so nothing is unread
	for i := start; i < len(p.text); i++ {
		c := p.text[i]
		if c == '"' {
			*s = p.text[start:i]
			p.next, p.last = i+1, '"'
			return true
		}
		if c == '\\' || c < ' ' {
			break
		}
	}
	return p.escapedString(s)
}

func (p *parser) escapedString(s *string) bool {
	var b []byte
	for {
		c := p.get()
		switch {
		case c < ' ': // also the end of the text
			p.unget()
			return false
		case c == '"':
			*s = string(b)
			return true
		case c != '\\':
			b = append(b, byte(c))
			continue
		}
		switch c = p.get(); c {
		case '"', '\\', '/':
			b = append(b, byte(c))
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := p.codePoint()
			if !ok {
				return false
			}
			b = appendCodePoint(b, r)
		default:
			return false
		}
	}
}

// codePoint reads what follows \u, including the second half of a surrogate pair.
func (p *parser) codePoint() (int, bool) {
	r, ok := p.quadHex()
	switch {
	case !ok || 0xdc00 <= r && r <= 0xdfff:
		return 0, false
	case r < 0xd800 || r > 0xdfff:
		return r, true
	}
	if p.get() != '\\' || p.get() != 'u' {
		p.unget()
		return 0, false
	}
	low, ok := p.quadHex()
	if !ok || low < 0xdc00 || low > 0xdfff {
		return 0, false
	}
	return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, true
}

func (p *parser) quadHex() (int, bool) {
	n := 0
	for range 4 {
		c := p.get()
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			p.unget()
			return 0, false
		}
		n = n<<4 | c
	}
	return n, true
}

// appendCodePoint appends UTF-8. It does not go through utf8.AppendRune because nothing here may become U+FFFD.
func appendCodePoint(b []byte, r int) []byte {
	switch {
	case r < 0x80:
		return append(b, byte(r))
	case r < 0x800:
		return append(b, byte(0xc0|r>>6), byte(0x80|r&0x3f))
	case r < 0x10000:
		return append(b, byte(0xe0|r>>12), byte(0x80|r>>6&0x3f), byte(0x80|r&0x3f))
	}
	return append(b, byte(0xf0|r>>18), byte(0x80|r>>12&0x3f), byte(0x80|r>>6&0x3f), byte(0x80|r&0x3f))
}
