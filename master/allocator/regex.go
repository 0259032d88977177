package allocator

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// matcher says whether a regular expression matches a whole text.
type matcher struct{ *regexp.Regexp }

func (m matcher) MatchString(text string) bool {
	// The longest of the leftmost matches is the whole text if any match is.
	at := m.FindStringIndex(text)
	return at != nil && at[0] == 0 && at[1] == len(text)
}

// compile makes a matcher of a pattern. The error has the original's text.
func compile(pattern string, limits RegexLimits) (matcher, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return matcher{}, fmt.Errorf("Failed to construct regex from pattern '%s': %s", pattern, regexError(err))
	}
	re.Longest()
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return matcher{}, err
	}
	size := measure(parsed)
	if limits.MaxMemory > 0 && int64(size.compiled()) > (limits.MaxMemory*2/3-programBytes)/instructionBytes {
		return matcher{}, fmt.Errorf("Failed to construct regex from pattern '%s': pattern too large - compile failed", pattern)
	}
	if flat := size.flat(); limits.MaxProgram > 0 && flat > limits.MaxProgram {
		return matcher{}, fmt.Errorf("Regex '%s' is too complex: program size of %d is larger than maximum of %d allowed", pattern, flat, limits.MaxProgram)
	}
	return matcher{re}, nil
}

// regexErrors are RE2's words for what its descendant in Go finds wrong.
var regexErrors = map[syntax.ErrorCode]string{
	syntax.ErrInvalidCharClass:      "invalid character class",
	syntax.ErrInvalidCharRange:      "invalid character class range",
	syntax.ErrInvalidEscape:         "invalid escape sequence",
	syntax.ErrInvalidNamedCapture:   "invalid named capture group",
	syntax.ErrInvalidPerlOp:         "invalid perl operator",
	syntax.ErrInvalidRepeatOp:       "bad repetition operator",
	syntax.ErrInvalidRepeatSize:     "invalid repetition size",
	syntax.ErrInvalidUTF8:           "invalid UTF-8",
	syntax.ErrLarge:                 "pattern too large - compile failed",
	syntax.ErrMissingBracket:        "missing ]",
	syntax.ErrMissingParen:          "missing )",
	syntax.ErrMissingRepeatArgument: "no argument for repetition operator",
	syntax.ErrNestingDepth:          "pattern too large - compile failed",
	syntax.ErrTrailingBackslash:     `trailing \`,
	syntax.ErrUnexpectedParen:       "unexpected )",
}

// regexError is the text that RE2 has for an error of Go's parser.
func regexError(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text, ok := regexErrors[e.Code]
	if !ok {
		text = e.Code.String()
	}
	switch e.Code {
	case syntax.ErrLarge, syntax.ErrNestingDepth:
		return text
	case syntax.ErrTrailingBackslash:
		return text
	}
	return text + ": " + e.Expr
}
