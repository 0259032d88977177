package allocator

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// What RE2 (2020-07-06, which the original is built with) says of patterns.
func TestRegexErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		`(abc`:      `missing ): (abc`,
		`abc)`:      `unexpected ): abc)`,
		`a**`:       `bad repetition operator: **`,
		`*a`:        `no argument for repetition operator: *`,
		`[a`:        `missing ]: [a`,
		`[z-a]`:     `invalid character class range: z-a`,
		`\`:         `trailing \`,
		`a{1001}`:   `invalid repetition size: {1001}`,
		`a{2,1}`:    `invalid repetition size: {2,1}`,
		`\8`:        `invalid escape sequence: \8`,
		`(?P<n`:     `invalid named capture group: (?P<n`,
		`(?P<n>a`:   `missing ): (?P<n>a`,
		`(?q)a`:     `invalid perl operator: (?q`,
		`[[:foo:]]`: `invalid character class range: [:foo:]`,
		`\pX`:       `invalid character class range: \pX`,
		`x{2}{3}`:   `bad repetition operator: {2}{3}`,
		`a++`:       `bad repetition operator: ++`,
	} {
		_, err := compile(pattern, defaultLimits)
		want = "Failed to construct regex from pattern '" + pattern + "': " + want
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", pattern, err, want)
		}
	}
}

func TestRegexProgramSizes(t *testing.T) {
	for pattern, want := range map[string]int{
		`abc`:                         7,
		`(?i)abc`:                     7,
		`.*`:                          12,
		`.`:                           12,
		`[^a]`:                        12,
		`[^a-z]+`:                     13,
		`a|b|c`:                       5,
		`abc|abd`:                     7,
		`(a|b)*c`:                     8,
		`r[0-9]`:                      6,
		`^abc$`:                       4,
		`^abc`:                        4,
		`abc$`:                        7,
		`(?:abc)+`:                    8,
		`a{3,5}`:                      11,
		`a{10}`:                       14,
		`a{100}`:                      104,
		`a{30}`:                       34,
		`(a{5}){5}`:                   39,
		`[a-z0-9]{20}`:                44,
		`host-[0-9]+\.example\.com`:   23,
		`rack-(1|2|3|4|5|6|7|8|9|10)`: 14,
		`é`:                           6,
		`日本`:                          10,
		`[é-ü]`:                       6,
		`\d+`:                         6,
		`\w*`:                         7,
		`\s?`:                         8,
		`\b`:                          5,
		`a*?`:                         5,
		`()`:                          6,
		`a?b?c?`:                      10,
		`(foo|bar|baz)`:               13,
		`foo|bar|baz`:                 11,
		`(?s).*`:                      11,
		`a\z`:                         5,
		`\Aa`:                         4,
		`.*foo.*bar.*`:                34,
		`[[:alpha:]]+`:                6,
		`(abc){0}`:                    4,
		`x*y*z*`:                      9,
		`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`: 154,
		`[\x{80}-\x{10ffff}]`:                 10,
		`[^\n]*`:                              12,
		`(?m)^a$`:                             7,
		`(((((a)))))`:                         15,
		`(b(1?))(ZZ)?(?:1+9?){1}c`:            21,
		`^((?:(9+é*b)){4})*b(-+)*`:            41,
		`c{1,4}b[[:alpha:]]*0`:                14,
		`^(k?(1*?-{0,4}(a{0,3}bbX)*)a{3,}Z)9`: 34,
		`(b{2,4})(?:1*9?b)Y\.`:                18,
		`^a|(?i:9*?c+(bb9{0})*-?)?[[:alpha:]]{3,}é?k+`: 29,
		`(?i:((9)?9{3})?)*.\b?\s?`:                     27,
		`(\w?b?X*(-1{0})+)[0-9a-z_]+(Z*)+`:             27,
		`^Y?-(?i:bZ[[:alpha:]]){2,3}Z|(?:b0)`:          36,
		`((?i:1c{2,}\.){0,3}9*){1}`:                    25,
		`(Y*)(?i:(c)Y(?:a))+|-{3}k{4}0`:                22,
		`^(k1?X{0,}){0}9{4}a*Y`:                        8,
		`^Xc(?:(?:Zb{1})?)0`:                           8,
		`9?((\w1)(?i:(9){1,}){4}日*)a?`:                 39,
		`X{1,2}(?:1\b|\s?Z{2}X+)`:                      18,
		`(0*((?i:Zbb{3})*(?:bbb{3}|b|a0ab){0,})9)+`:    27,
		`^\.?(\w?a\s{4}1{3})`:                          26,
		`1?|(?:Z+(?i:.+9{0,}b*)+(?i:bc?))-`:            28,
		`X(kX*)[0-9a-z_]*a*|b(?i:(bk))`:                23,
		`(?i:(b*\w(?:a)))?`:                            17,
		`[0-9a-z_]Z|((?:b-b{0})\b[à-ÿ])?Y+[0-9a-z_]`:   21,
		`(([0-9a-z_]?[a-f]k+))$`:                       15,
		`^0{4}9(?i:X*?Z*)?`:                            13,
		`[[:alpha:]]+(Z+YZ*)?`:                         13,
		`(?i:(c9?)(?:(?:bY|Y)?)日){0}1*`:                5,
		`Z?(c{4}-{2}[k-s])`:                            15,
		`^(c+b{4}(\.?(bb?)+(?:Z{0,})*k{4})Y)?`:         28,
		`((X{1}1(bb\w*)*?))`:                           17,
		`(?:Z((?:b?){0,}(?:ab\d*?)?1{2})1{0,})*$`:      17,
		`^-{2,2}(?i:((1b+)))*(b)?é{2,2}`:               19,
		`X9+(((?:b{2}ab?))+Y+(Y(bb*?b?))*)+$`:          32,
		`Y\d{2,3}(?:Yk|0?0?(?:(?:b?b+))é{3,})$|\b`:     27,
		`^(?i:(?:-?)(b))*c?$`:                          9,
		`Y*?$|X{2}[0-9a-z_]+.`:                         21,
		`(9{3}a(\b+kc?(b))+)1+`:                        23,
		`((k))é+X$|(?:9+|b[k-s]*[^x]*?)`:               30,
		`\.Z{1,4}X-?|(0)*`:                             20,
		`((?i:\w)(?i:(c{0})aé)*1)?`:                    22,
		`9|((?i:b?a*?)b([^x]*?)b)+(9?é0+){2,3}`:        49,
	} {
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := measure(re).flat(); got != want {
			t.Errorf("%s: %d instructions, RE2 has %d", pattern, got, want)
		}
	}
}

func TestRegexLimits(t *testing.T) {
	long := strings.Repeat("a", 97)
	if _, err := compile(long, RegexLimits{MaxProgram: 100}); err == nil || !strings.HasSuffix(err.Error(), "is too complex: program size of 101 is larger than maximum of 100 allowed") {
		t.Error(err)
	}
	if _, err := compile(long[1:], RegexLimits{MaxProgram: 100}); err != nil {
		t.Error(err)
	}
	huge := strings.Repeat("a", 300)
	if _, err := compile(huge, RegexLimits{MaxMemory: 4096}); err == nil || !strings.HasSuffix(err.Error(), "pattern too large - compile failed") {
		t.Error(err)
	}
	if _, err := compile(huge, RegexLimits{}); err != nil {
		t.Error(err)
	}
	if _, err := compile("((((a{100}){100}){100}){100})", defaultLimits); err == nil {
		t.Error("accepted")
	}
}

// A quotation that nobody ends goes to the end of the pattern.
func TestRegexMatchesTheWholeText(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`a`, "a", true}, {`a`, "ab", false}, {`a`, "ba", false}, {`a|ab`, "ab", true}, {`\Qa.b`, "a.b", true},
		{`(?i)HOST`, "host", true}, {`a*?`, "aaa", true}, {``, "", true}, {``, "a", false}, {`a.c`, "a\nc", false},
	} {
		m, err := compile(c.pattern, defaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.MatchString(c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}
