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
	size, err := programSize(pattern)
	if err != nil {
		return matcher{}, err
	}
	if limits.MaxProgram > 0 && size > limits.MaxProgram {
		return matcher{}, fmt.Errorf("Regex '%s' is too complex: program size of %d is larger than maximum of %d allowed", pattern, size, limits.MaxProgram)
	}
	return matcher{re}, nil
}

// regexError is the text that RE2 has for an error of Go's parser, its descendant.
func regexError(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text, ok := map[syntax.ErrorCode]string{
		syntax.ErrInvalidCharClass:      "invalid character class",
		syntax.ErrInvalidCharRange:      "invalid character class range",
		syntax.ErrInvalidEscape:         "invalid escape sequence",
		syntax.ErrInvalidNamedCapture:   "invalid named capture group",
		syntax.ErrInvalidPerlOp:         "invalid perl operator",
		syntax.ErrInvalidRepeatOp:       "bad repetition operator",
		syntax.ErrInvalidRepeatSize:     "invalid repetition size",
		syntax.ErrInvalidUTF8:           "invalid UTF-8",
		syntax.ErrMissingBracket:        "missing ]",
		syntax.ErrMissingParen:          "missing )",
		syntax.ErrMissingRepeatArgument: "no argument for repetition operator",
		syntax.ErrTrailingBackslash:     "trailing \\",
		syntax.ErrUnexpectedParen:       "unexpected )",
	}[e.Code]
	if !ok {
		text = e.Code.String()
	}
	if e.Expr != "" {
		text += ": " + e.Expr
	}
	return text
}

func programSize(pattern string) (int, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, err
	}
	return len(prog.Inst), nil
}
