package match

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"null", "boolean", "number", "string", "array", "object"}

func (k Kind) String() string { return kindNames[k] }

// Node is a JSON value as it was written: it keeps the order and repetition of keys,
// the text of numbers and the escapes of strings.
type Node struct {
	Kind Kind
	// Text is the literal: of a string what stands between the quotes.
	Text string
	// Keys of an object, between the quotes, one for each of Items.
	Keys []string
	// Items of an array or object.
	Items []*Node
}

// maxDepth is how deep values may nest.
const maxDepth = 1000

// Parse reads one JSON text, strictly.
func Parse(text string) (*Node, error) {
	p := parser{text: text}
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(text) {
		return nil, p.failure("text after the value")
	}
	return n, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) failure(what string) error {
	line := 1 + strings.Count(p.text[:p.at], "\n")
	near := p.text[p.at:]
	if len(near) > 20 {
		near = near[:20] + "…"
	}
	return fmt.Errorf("no JSON: %s at line %d, before %q", what, line, near)
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take consumes c if it is next.
func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, errors.New("no JSON: nested too deep")
	}
	p.space()
	if p.at == len(p.text) {
		return nil, p.failure("the end")
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		text, err := p.quoted()
		return &Node{Kind: String, Text: text}, err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for word, kind := range map[string]Kind{"null": Null, "true": Bool, "false": Bool} {
		if strings.HasPrefix(p.text[p.at:], word) {
			p.at += len(word)
			return &Node{Kind: kind, Text: word}, nil
		}
	}
	return nil, p.failure("no value")
}

func (p *parser) object(depth int) (*Node, error) {
	n := &Node{Kind: Object}
	p.at++
	for p.space(); !p.take('}'); p.space() {
		if len(n.Items) > 0 {
			if !p.take(',') {
				return nil, p.failure("no comma")
			}
			p.space()
		}
		key, err := p.quoted()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(':') {
			return nil, p.failure("no colon")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Keys, n.Items = append(n.Keys, key), append(n.Items, item)
	}
	return n, nil
}

func (p *parser) array(depth int) (*Node, error) {
	n := &Node{Kind: Array}
	p.at++
	for p.space(); !p.take(']'); p.space() {
		if len(n.Items) > 0 && !p.take(',') {
			return nil, p.failure("no comma")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	return n, nil
}

// quoted reads a string and returns what stands between the quotes.
func (p *parser) quoted() (string, error) {
	if !p.take('"') {
		return "", p.failure("no string")
	}
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start : p.at-1], nil
		case c < 0x20:
			return "", p.failure("a control character in a string")
		case c == '\\':
			if p.at+1 == len(p.text) || strings.IndexByte(`"\/bfnrtu`, p.text[p.at+1]) < 0 {
				return "", p.failure("no such escape")
			}
			p.at += 2
			if p.text[p.at-1] == 'u' {
				if len(p.text) < p.at+4 || strings.Trim(p.text[p.at:p.at+4], "0123456789abcdefABCDEF") != "" {
					return "", p.failure("no such escape")
				}
				p.at += 4
			}
		default:
			p.at++
		}
	}
	return "", p.failure("no end of a string")
}

func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

func (p *parser) number() (*Node, error) {
	start := p.at
	p.take('-')
	if !p.take('0') && !p.digits() {
		return nil, p.failure("no number")
	}
	if p.take('.') && !p.digits() {
		return nil, p.failure("no decimals")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return nil, p.failure("no exponent")
		}
	}
	return &Node{Kind: Number, Text: p.text[start:p.at]}, nil
}

// String is the value as compact JSON.
func (n *Node) String() string { return string(n.append(nil)) }

func (n *Node) append(dst []byte) []byte {
	switch n.Kind {
	case String:
		dst = append(dst, '"')
		dst = append(dst, n.Text...)
		return append(dst, '"')
	case Array, Object:
		brackets := "[]"
		if n.Kind == Object {
			brackets = "{}"
		}
		dst = append(dst, brackets[0])
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if n.Kind == Object {
				dst = append(dst, '"')
				dst = append(dst, n.Keys[i]...)
				dst = append(dst, `":`...)
			}
			dst = item.append(dst)
		}
		return append(dst, brackets[1])
	}
	return append(dst, n.Text...)
}

// short is String, cut for messages.
func (n *Node) short() string { return cut(n.String(), 200) }

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}
