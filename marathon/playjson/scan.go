package playjson

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// white consumes one white space character that is not a blank; false means it is none.
func (p *parser) white(c byte) error {
	switch c {
	case '\n':
		p.line++
		p.lineStart = p.at
	case '\r':
		if p.at < len(p.text) && p.text[p.at] == '\n' {
			p.at++
		}
		p.line++
		p.lineStart = p.at
	case '\t', ' ':
	default:
		return p.fail("Illegal character (%s): only regular white space (\\r, \\n, \\t) is allowed between tokens", describe(int(c)))
	}
	return nil
}

// skipSpaceOrEnd gives the next character that is not white space, consumed; -1 at the end.
func (p *parser) skipSpaceOrEnd() (int, error) {
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		if c > ' ' {
			if c == '/' {
				return 0, p.comment()
			}
			return int(c), nil
		}
		if err := p.white(c); err != nil {
			return 0, err
		}
	}
	return -1, nil
}

func (p *parser) comment() error {
	return p.unexpectedChar('/', "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)")
}

// skipSpace is skipSpaceOrEnd where the end is an error.
func (p *parser) skipSpace() (int, error) {
	c, err := p.skipSpaceOrEnd()
	if err == nil && c < 0 {
		err = p.fail("Unexpected end-of-input within/between %s entries", p.scopeName())
	}
	return c, err
}

// skipColon moves over the colon behind a key to the first character of the value.
func (p *parser) skipColon() (int, error) {
	c, err := p.skipSpace()
	if err != nil {
		return 0, err
	}
	if c != ':' {
		return 0, p.unexpectedChar(c, "was expecting a colon to separate field name and value")
	}
	return p.skipSpace()
}

// stringBody reads a string, or the name of a member, behind its opening quote.
func (p *parser) stringBody(name bool) (string, error) {
	where := "string value"
	if name {
		where = "name"
	}
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			text := string(p.text[start:p.at])
			p.at++
			return text, nil
		case c == '\\':
			return p.escapedBody(start, name)
		case c < ' ':
			return "", p.fail("Illegal unquoted character (%s): has to be escaped using backslash to be included in %s", describe(int(c)), where)
		case c < utf8.RuneSelf:
			p.at++
		default:
			r, size := utf8.DecodeRune(p.text[p.at:])
			if r == utf8.RuneError && size <= 1 {
				return "", p.badEncoding()
			}
			p.at += size
		}
	}
	if name && p.at == start {
		return "", p.fail(`Unexpected end-of-input: was expecting closing '"' for name`)
	}
	return "", p.endInString(name)
}

func (p *parser) endInString(name bool) error {
	if name {
		return p.fail("Unexpected end-of-input in field name")
	}
	return p.fail("Unexpected end-of-input in VALUE_STRING")
}

// escapedBody reads on from the first backslash of a string.
func (p *parser) escapedBody(start int, name bool) (string, error) {
	where := "string value"
	if name {
		where = "name"
	}
	var text strings.Builder
	text.Write(p.text[start:p.at])
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return text.String(), nil
		case c == '\\':
			p.at++
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			text.WriteRune(r)
		case c < ' ':
			return "", p.fail("Illegal unquoted character (%s): has to be escaped using backslash to be included in %s", describe(int(c)), where)
		default:
			r, size := utf8.DecodeRune(p.text[p.at:])
			if r == utf8.RuneError && size <= 1 {
				return "", p.badEncoding()
			}
			text.Write(p.text[p.at : p.at+size])
			p.at += size
		}
	}
	return "", p.endInString(name)
}

var simpleEscapes = map[byte]rune{'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', '"': '"', '/': '/', '\\': '\\'}

// escape reads an escape sequence behind its backslash. Halves of surrogate pairs that
// stand alone become U+FFFD.
func (p *parser) escape() (rune, error) {
	if p.at >= len(p.text) {
		return 0, p.fail("Unexpected end-of-input in character escape sequence")
	}
	c := p.text[p.at]
	p.at++
	if r, ok := simpleEscapes[c]; ok {
		return r, nil
	}
	if c != 'u' {
		return 0, p.fail("Unrecognized character escape %s", describe(p.decodeForError(int(c))))
	}
	first, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if p.at+1 >= len(p.text) || p.text[p.at] != '\\' || p.text[p.at+1] != 'u' {
		return utf8.RuneError, nil
	}
	back := p.at
	p.at += 2
	second, err := p.hex4()
	if err != nil {
		return 0, err
	}
	r := utf16.DecodeRune(first, second)
	if r == utf8.RuneError {
		p.at = back
	}
	return r, nil
}

func (p *parser) hex4() (rune, error) {
	var value rune
	for range 4 {
		if p.at >= len(p.text) {
			return 0, p.fail("Unexpected end-of-input in character escape sequence")
		}
		c := p.text[p.at]
		p.at++
		switch {
		case c >= '0' && c <= '9':
			value = value<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			value = value<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			value = value<<4 | rune(c-'A'+10)
		default:
			return 0, p.unexpectedChar(int(c), "expected a hex-digit for character escape sequence")
		}
	}
	return value, nil
}

// badEncoding reports the byte at the current place, which is not UTF-8.
func (p *parser) badEncoding() error {
	c := p.text[p.at]
	if c < 0xC0 || c >= 0xF8 {
		return p.fail("Invalid UTF-8 start byte 0x%x", c)
	}
	for next := p.at + 1; next < len(p.text) && next < p.at+4; next++ {
		if p.text[next]&0xC0 != 0x80 {
			return p.fail("Invalid UTF-8 middle byte 0x%x", p.text[next])
		}
	}
	return p.fail("Invalid UTF-8 start byte 0x%x", c)
}

// number reads a number whose first character has been consumed.
func (p *parser) number(first byte, value *Value) error {
	start := p.at - 1
	if first == '-' {
		if p.at >= len(p.text) {
			return p.fail("Unexpected end-of-input in %s", p.token)
		}
		first = p.text[p.at]
		p.at++
		if first < '0' || first > '9' {
			return p.badNumberStart(first)
		}
	}
	if first == '0' && p.digits(0) > 0 {
		return p.fail("Invalid numeric value: Leading zeroes not allowed")
	}
	p.digits(1)
	kind := "VALUE_NUMBER_INT"
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		kind = "VALUE_NUMBER_FLOAT"
		if p.digits(1) == 0 {
			return p.badNumberChar("Decimal point not followed by a digit", '.')
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		kind = "VALUE_NUMBER_FLOAT"
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if p.at >= len(p.text) {
			return p.fail("Unexpected end-of-input in %s", p.token)
		}
		if p.digits(1) == 0 {
			return p.badNumberChar("Exponent indicator not followed by a digit", 'e')
		}
	}
	text := string(p.text[start:p.at])
	if len(p.scopes) == 0 && p.at < len(p.text) && !strings.ContainsRune(" \t\r\n", rune(p.text[p.at])) {
		return p.unexpectedChar(int(p.text[p.at]), "Expected space separating root-level values")
	}
	p.token = kind
	return p.limitedNumber(text, value)
}

// limitedNumber refuses what play-json refuses, so that no text takes long to compute with.
func (p *parser) limitedNumber(text string, value *Value) error {
	if len(text) > maxNumberText {
		return &LimitError{fmt.Sprintf("Number is larger than supported for field %q", p.field)}
	}
	number, scale := parseDecimal(text)
	if scale > maxNumberScale || scale < -maxNumberScale {
		return &LimitError{fmt.Sprintf("Number scale (%d) is out of limits for field %q", scale, p.field)}
	}
	*value = Value{Kind: Number, Number: &number}
	return nil
}

// digits counts the digits at the current place; with take 1 it consumes them.
func (p *parser) digits(take int) int {
	n := 0
	for p.at+n < len(p.text) && p.text[p.at+n] >= '0' && p.text[p.at+n] <= '9' {
		n++
	}
	p.at += n * take
	return n
}

func (p *parser) badNumberStart(c byte) error {
	return p.fail("Unexpected character (%s) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value", describe(int(c)))
}

// badNumberChar reports what stands where a digit must; at the end of the text Jackson
// shows the last character it saw.
func (p *parser) badNumberChar(comment string, last byte) error {
	if p.at < len(p.text) {
		last = p.text[p.at]
	}
	return p.fail("Unexpected character (%s) in numeric value: %s", describe(int(last)), comment)
}
