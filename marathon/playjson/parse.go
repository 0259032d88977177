package playjson

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says that a text is not JSON. Message is Jackson's, without the location.
type SyntaxError struct{ Message string }

func (e *SyntaxError) Error() string { return e.Message }

// EmptyError says that there was nothing but white space. The text is Jackson's.
type EmptyError struct{ source string }

func (e *EmptyError) Error() string {
	return "No content to map due to end-of-input\n at " + e.source
}

// LimitError says that a number or the nesting is beyond what is read at all.
type LimitError struct{ Message string }

func (e *LimitError) Error() string { return e.Message }

// Limits: the first two are play-json's, which refuses more; the others are our own, for a
// text that would otherwise take the memory it likes. Four million values are the
// definitions of some ten thousand apps.
const (
	maxNumberText  = 310
	maxNumberScale = 6178
	maxDepth       = 1000
	maxValues      = 4_000_000
)

// Parse reads the first JSON value of a text. Like the original's parser it looks one token
// further, so that a wrong token behind the value is an error, but whatever comes after a
// right one is not read. Errors are *SyntaxError, *EmptyError and *LimitError.
func Parse(text []byte) (Value, error) { return parse(text, maxValues) }

func parse(text []byte, limit int) (Value, error) {
	p := &parser{limit: limit, text: bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), source: text, token: "null"}
	var value Value
	err := p.run(&value)
	if err != nil {
		return Value{}, err
	}
	return value, nil
}

// parser follows Jackson's UTF8StreamJsonParser step by step where the steps show in error texts.
type parser struct {
	text   []byte
	source []byte
	at     int
	// line is 1-based; lineStart is the offset of its first byte.
	line, lineStart int
	scopes          []scope
	// token is the name of the current token, which some messages tell.
	token string
	// field is the name of the member whose value is being read.
	field string
	// values counts what has been read, up to limit.
	values, limit int
}

// scope is an array or object that has been opened.
type scope struct {
	object    bool
	line, col int
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...)}
}

func (p *parser) run(value *Value) error {
	p.line = 1
	c, err := p.skipSpaceOrEnd()
	if err != nil {
		return err
	}
	if c < 0 {
		return &EmptyError{p.location(1, 0)}
	}
	if c == ']' || c == '}' {
		return p.mismatched(byte(c))
	}
	if err := p.value(c, value); err != nil {
		return err
	}
	return p.readAhead()
}

// readAhead looks at the token behind the root value.
func (p *parser) readAhead() error {
	c, err := p.skipSpaceOrEnd()
	if err != nil || c < 0 {
		return err
	}
	if c == ']' || c == '}' {
		return p.mismatched(byte(c))
	}
	if c == '"' || c == '{' || c == '[' {
		return nil
	}
	var ignored Value
	return p.value(c, &ignored)
}

// value reads a value whose first character c has been consumed.
func (p *parser) value(c int, value *Value) error {
	if p.values++; p.values > p.limit {
		return &LimitError{"JSON has more than " + strconv.Itoa(p.limit) + " values"}
	}
	switch c {
	case '"':
		p.token = "VALUE_STRING"
		text, err := p.stringBody(false)
		*value = Value{Kind: String, Text: text}
		return err
	case '{':
		return p.object(value)
	case '[':
		return p.array(value)
	case 't':
		*value = Value{Kind: Bool, Bool: true}
		return p.literal("true", "VALUE_TRUE")
	case 'f':
		*value = Value{Kind: Bool}
		return p.literal("false", "VALUE_FALSE")
	case 'n':
		*value = Value{Kind: Null}
		return p.literal("null", "VALUE_NULL")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.number(byte(c), value)
	}
	return p.unexpectedValue(c)
}

func (p *parser) open(object bool) error {
	if len(p.scopes) >= maxDepth {
		return &LimitError{"JSON is nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
	}
	p.scopes = append(p.scopes, scope{object, p.line, p.at - p.lineStart})
	return nil
}

func (p *parser) close(token string) {
	p.scopes = p.scopes[:len(p.scopes)-1]
	p.token = token
}

func (p *parser) array(value *Value) error {
	if err := p.open(false); err != nil {
		return err
	}
	p.token = "START_ARRAY"
	*value = Value{Kind: Array, Elements: []Value{}}
	for first := true; ; first = false {
		c, done, err := p.next(first, ']')
		if err != nil {
			return err
		}
		if done {
			p.close("END_ARRAY")
			return nil
		}
		var element Value
		if err := p.value(c, &element); err != nil {
			return err
		}
		value.Elements = append(value.Elements, element)
	}
}

func (p *parser) object(value *Value) error {
	if err := p.open(true); err != nil {
		return err
	}
	p.token = "START_OBJECT"
	*value = Value{Kind: Object}
	var places map[string]int
	for first := true; ; first = false {
		c, done, err := p.next(first, '}')
		if err != nil {
			return err
		}
		if done {
			p.close("END_OBJECT")
			return nil
		}
		if c != '"' {
			return p.unexpectedChar(p.decodeForError(c), "was expecting double-quote to start field name")
		}
		key, err := p.stringBody(true)
		if err != nil {
			return err
		}
		p.token, p.field = "FIELD_NAME", key
		if c, err = p.skipColon(); err != nil {
			return err
		}
		var member Value
		if err := p.value(c, &member); err != nil {
			return err
		}
		if place := placeOf(value.Keys, &places, key); place >= 0 {
			value.Elements[place] = member
			continue
		}
		value.Keys = append(value.Keys, key)
		value.Elements = append(value.Elements, member)
	}
}

// placeOf finds a key among the earlier ones of an object; -1 when it is new. Objects with
// many keys get an index.
func placeOf(keys []string, index *map[string]int, key string) int {
	const few = 16
	if len(keys) < few {
		return slices.Index(keys, key)
	}
	if *index == nil {
		*index = make(map[string]int, 2*few)
		for place, earlier := range keys {
			(*index)[earlier] = place
		}
	}
	if place, again := (*index)[key]; again {
		return place
	}
	(*index)[key] = len(keys)
	return -1
}

// next moves to the first character of the next element of the innermost scope, or past its end.
func (p *parser) next(first bool, closer byte) (c int, done bool, err error) {
	if c, err = p.skipSpaceOrEnd(); err != nil {
		return 0, false, err
	}
	if c < 0 {
		return 0, false, p.unexpectedEnd()
	}
	if c == ']' || c == '}' {
		if byte(c) != closer {
			return 0, false, p.mismatched(byte(c))
		}
		return 0, true, nil
	}
	if first {
		return c, false, nil
	}
	if c != ',' {
		return 0, false, p.unexpectedChar(c, "was expecting comma to separate "+p.scopeName()+" entries")
	}
	c, err = p.skipSpace()
	return c, false, err
}

func (p *parser) scopeName() string {
	if len(p.scopes) == 0 {
		return "root"
	}
	if p.scopes[len(p.scopes)-1].object {
		return "Object"
	}
	return "Array"
}

// literal reads the rest of true, false or null.
func (p *parser) literal(word, token string) error {
	for i := 1; i < len(word); i++ {
		if p.at >= len(p.text) || p.text[p.at] != word[i] {
			return p.unrecognized(word[:i])
		}
		p.at++
	}
	if p.at < len(p.text) {
		if c := p.text[p.at]; c >= '0' && c != ']' && c != '}' {
			r, _ := utf8.DecodeRune(p.text[p.at:])
			if identifierPart(r) {
				return p.unrecognized(word)
			}
		}
	}
	p.token = token
	return nil
}

func (p *parser) unexpectedValue(c int) error {
	switch c {
	case ']':
		if len(p.scopes) > 0 && !p.scopes[len(p.scopes)-1].object {
			return p.unexpectedChar(c, "expected a value")
		}
	case ',', '}':
		return p.unexpectedChar(c, "expected a value")
	case 'N', 'I':
		word := map[int]string{'N': "NaN", 'I': "Infinity"}[c]
		if err := p.literal(word, ""); err != nil {
			return err
		}
		return p.fail("Non-standard token '%s': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow", word)
	case '+':
		if p.at >= len(p.text) {
			return p.fail("Unexpected end-of-input in a Number value")
		}
		p.at++
		return p.badNumberStart(p.text[p.at-1])
	}
	// Jackson looks at the single byte here, not at the character.
	if identifierStart(rune(c)) {
		return p.unrecognized(string(rune(c)))
	}
	return p.unexpectedChar(c, "expected a valid value "+validValues)
}

const validValues = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

// maxErrorToken is how much of a wrong word an error shows.
const maxErrorToken = 256

// unrecognized reports a word, of which the first part has been consumed.
func (p *parser) unrecognized(matched string) error {
	word := []rune(matched)
	for p.at < len(p.text) {
		r, size := utf8.DecodeRune(p.text[p.at:])
		if r == utf8.RuneError && size <= 1 {
			return p.badEncoding()
		}
		p.at += size
		if !identifierPart(r) {
			break
		}
		word = append(word, r)
		if len(word) >= maxErrorToken {
			return p.fail("Unrecognized token '%s...': was expecting %s", string(word), validValues)
		}
	}
	return p.fail("Unrecognized token '%s': was expecting %s", string(word), validValues)
}

// decodeForError completes a character whose first byte c has been consumed.
func (p *parser) decodeForError(c int) int {
	if c < utf8.RuneSelf {
		return c
	}
	r, _ := utf8.DecodeRune(p.text[p.at-1:])
	// The original casts to a 16-bit char.
	return int(uint16(r))
}

func (p *parser) unexpectedChar(c int, comment string) error {
	return p.fail("Unexpected character (%s): %s", describe(c), comment)
}

// describe names a character the way ParserMinimalBase._getCharDesc does.
func describe(c int) string {
	switch {
	case c < 0x20 || c >= 0x7F && c < 0xA0:
		return fmt.Sprintf("(CTRL-CHAR, code %d)", c)
	case c > 255:
		return fmt.Sprintf("'%c' (code %d / 0x%x)", c, c, c)
	default:
		return fmt.Sprintf("'%c' (code %d)", c, c)
	}
}

func (p *parser) unexpectedEnd() error {
	open := p.scopes[len(p.scopes)-1]
	return p.fail("Unexpected end-of-input: expected close marker for %s (start marker at %s)", p.scopeName(), p.location(open.line, open.col))
}

func (p *parser) mismatched(closer byte) error {
	expected := map[byte]byte{']': '}', '}': ']'}[closer]
	line, col := 1, 0
	if len(p.scopes) > 0 {
		line, col = p.scopes[len(p.scopes)-1].line, p.scopes[len(p.scopes)-1].col
	}
	return p.fail("Unexpected close marker '%c': expected '%c' (for %s starting at %s)", closer, expected, p.scopeName(), p.location(line, col))
}

// maxSnippet is how much of the source a location shows, in bytes.
const maxSnippet = 500

// location prints what JsonLocation.toString does for a byte array.
func (p *parser) location(line, col int) string {
	shown, rest := p.source, ""
	if len(shown) > maxSnippet {
		rest = fmt.Sprintf("[truncated %d bytes]", len(shown)-maxSnippet)
		shown = shown[:maxSnippet]
	}
	return fmt.Sprintf("[Source: (byte[])\"%s\"%s; line: %d, column: %d]", strings.ToValidUTF8(string(shown), "\uFFFD"), rest, line, col)
}

func identifierStart(r rune) bool {
	return unicode.IsLetter(r) || r == '_' || unicode.Is(unicode.Sc, r) || unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Nl, r)
}

func identifierPart(r rune) bool {
	return identifierStart(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) ||
		unicode.Is(unicode.Cf, r) || r <= 8 || r >= 0x0E && r <= 0x1B || r >= 0x7F && r <= 0x9F
}
