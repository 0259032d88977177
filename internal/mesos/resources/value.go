package resources

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"stoa/internal/mesos/mesospb"
)

// ParseValue reads the text form of a value, as in --resources and
// --attributes: a number is a scalar, "[1-5,8-9]" ranges, "{a,b}" a set, and
// anything else text. Spaces don't count (src/common/values.cpp).
func ParseValue(text string) (*mesospb.Value, error) {
	text = strings.ReplaceAll(text, " ", "")
	if text == "" {
		return nil, errors.New("Expecting non-empty string")
	}
	if !bracketsMatch(text, '{', '}') || !bracketsMatch(text, '[', ']') || !bracketsMatch(text, '(', ')') {
		return nil, errors.New("Mismatched brackets")
	}
	switch strings.IndexByte(text, '[') {
	case 0:
		return parseRanges(text)
	case -1:
	default:
		return nil, errors.New("Unexpected '[' found")
	}
	switch strings.IndexByte(text, '{') {
	case 0:
		return &mesospb.Value{
			Type: mesospb.Value_SET.Enum(),
			Set:  &mesospb.Value_Set{Item: tokenize(text, "{},\n")},
		}, nil
	case -1:
	default:
		return nil, errors.New("Unexpected '{' found")
	}
	if number, ok := parseDouble(text); ok {
		switch {
		case number != 0 && math.Abs(number) < 0x1p-1022:
			return nil, errors.New("Subnormal values not supported")
		case number >= 0 && !math.IsInf(number, 0):
			return &mesospb.Value{
				Type:   mesospb.Value_SCALAR.Enum(),
				Scalar: &mesospb.Value_Scalar{Value: &number},
			}, nil
		}
	}
	return &mesospb.Value{
		Type: mesospb.Value_TEXT.Enum(),
		Text: &mesospb.Value_Text{Value: &text},
	}, nil
}

func parseRanges(text string) (*mesospb.Value, error) {
	tokens := tokenize(text, "[]-,\n")
	if len(tokens)%2 != 0 {
		return nil, errors.New(`Expecting one or more "ranges"`)
	}
	ranges := make(Ranges, 0, len(tokens)/2)
	for i := 0; i < len(tokens); i += 2 {
		begin, ok := parseUnsigned(tokens[i])
		end, ok2 := parseUnsigned(tokens[i+1])
		if !ok || !ok2 {
			return nil, errors.New("Expecting non-negative integers in '" + tokens[i] + "'")
		}
		ranges = append(ranges, Range{begin, end})
	}
	if !ranges.coalesced() {
		ranges = coalesceAsWritten(ranges)
	}
	return &mesospb.Value{Type: mesospb.Value_RANGES.Enum(), Ranges: ranges.Proto()}, nil
}

// coalesceAsWritten joins spans but keeps inverted ones, so that Validate can
// refuse them.
func coalesceAsWritten(ranges Ranges) Ranges {
	var inverted Ranges
	for _, r := range ranges {
		if r.Begin > r.End {
			inverted = append(inverted, r)
		}
	}
	return append(inverted, coalesce(ranges)...)
}

// parseUnsigned reads a decimal or 0x number.
func parseUnsigned(text string) (uint64, bool) {
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		return n, err == nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, 64)
	return n, err == nil
}

// parseDouble reads a decimal number. Go also knows hexadecimal ones and digit
// separators, which the original does not take.
func parseDouble(text string) (float64, bool) {
	if strings.ContainsAny(text, "_xXpP") {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

func bracketsMatch(text string, open, shut byte) bool {
	depth := 0
	for i := 0; i < len(text) && depth >= 0; i++ {
		switch text[i] {
		case open:
			depth++
		case shut:
			depth--
		}
	}
	return depth == 0
}

// tokenize splits at any of the delimiters and drops empty parts.
func tokenize(text, delimiters string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(delimiters, r) })
}
