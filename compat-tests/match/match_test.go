package match_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stoa/compat-tests/match"
)

func differences(t *testing.T, pattern, answer string, rules match.Rules, vars match.Vars) []string {
	t.Helper()
	p, err := match.ParseJSON(pattern, rules)
	if err != nil {
		t.Fatalf("pattern %s: %v", pattern, err)
	}
	n, err := match.Parse(answer)
	if err != nil {
		t.Fatalf("answer %s: %v", answer, err)
	}
	var texts []string
	for _, d := range p.Match(n, vars) {
		texts = append(texts, d.String())
	}
	return texts
}

func TestJSONIsComparedAsItIsWritten(t *testing.T) {
	for _, c := range []struct{ pattern, answer, want string }{
		{`{"a":1,"b":[]}`, `{ "a" : 1,"b":[ ]}`, ""},
		{`{"a":1}`, `{"a":1.0}`, "$.a: want 1, got 1.0"},
		{`{"a":"é"}`, `{"a":"\u00e9"}`, `$.a: want "é", got "\\u00e9"`},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, "$: keys in another order: want a, b, got b, a"},
		{`{"a":1,"b":2}`, `{"a":1}`, "$.b: missing, want 2"},
		{`{"a":1}`, `{"a":1,"a.b":{"c":2}}`, `$["a.b"]: not expected, got {"c":2}`},
		{`{"a":1}`, `{"a":1,"a":1}`, "$.a: not expected, got 1"},
		{`[1,2]`, `[1]`, "$: want 2 items, got 1: [1]"},
		{`[1,2]`, `[2,1]`, "$[0]: want 1, got 2; $[1]: want 2, got 1"},
		{`{"a":null}`, `{"a":false}`, "$.a: want null, got the boolean false"},
		{`{"a":{"b":[{"c":"x"}]}}`, `{"a":{"b":[{"c":"y"}]}}`, `$.a.b[0].c: want "x", got "y"`},
		{`"x"`, `7`, `$: want the string "x", got the number 7`},
	} {
		if got := strings.Join(differences(t, c.pattern, c.answer, match.Rules{}, match.Vars{}), "; "); got != c.want {
			t.Errorf("%s against %s:\n got %s\nwant %s", c.pattern, c.answer, got, c.want)
		}
	}
}

func TestWildcardsStandForTheirKind(t *testing.T) {
	const uuid = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
	for _, c := range []struct {
		pattern string
		fits    []string
		not     []string
	}{
		{`"{{any}}"`, []string{`1`, `"x"`, `null`, `[1]`, `{}`, `""`}, nil},
		{`"{{number}}"`, []string{`1`, `-0.5`, `1e21`}, []string{`"1"`, `null`}},
		{`"{{int}}"`, []string{`1`, `-7`}, []string{`1.0`, `1e2`, `"1"`}},
		{`"{{double}}"`, []string{`1.0`, `1e-7`, `5e21`, `1.5e21`}, []string{`1`, `"1.0"`}},
		{`"{{timestamp}}"`, []string{`1763718000.12345`}, []string{`0.0`, `1763718000`}},
		{`"{{text}}"`, []string{`"x"`, `"a\nb"`}, []string{`""`, `1`}},
		{`"{{uuid}}"`, []string{`"` + uuid + `"`}, []string{`"` + strings.ToUpper(uuid) + `"`, `"x"`}},
		{`"{{time}}"`, []string{`"2026-11-20T10:11:12.123Z"`}, []string{`"2026-11-20T10:11:12Z"`}},
		{`"{{bool}}"`, []string{`true`, `false`}, []string{`"true"`, `1`}},
		{`"{{array}}"`, []string{`[]`, `[1]`}, []string{`{}`}},
		{`"{{object}}"`, []string{`{}`}, []string{`[]`}},
		{`"{{address}}"`, []string{`"127.0.0.1:5050"`, `"[::1]:5050"`}, []string{`"127.0.0.1"`}},
		{`"master@{{address}}"`, []string{`"master@127.0.0.1:5050"`}, []string{`"slave@127.0.0.1:5050"`, `7`}},
		{`"{{uuid}}-S{{int}}"`, []string{`"` + uuid + `-S12"`}, []string{`"` + uuid + `-S"`}},
		{`"{{/a+|\\d{2}/}}"`, []string{`"aaa"`, `"42"`}, []string{`"aab"`, `42`}},
		{`"{{base64}}"`, []string{`"AAAA"`, `"AA=="`, `""`}, []string{`"A"`}},
		{`{"{{id}}":1}`, []string{`{"x.y":1}`}, []string{`{"x y":1}`, `{"x":2}`}},
	} {
		for _, answer := range c.fits {
			if got := differences(t, c.pattern, answer, match.Rules{}, match.Vars{}); got != nil {
				t.Errorf("%s should fit %s: %v", c.pattern, answer, got)
			}
		}
		for _, answer := range c.not {
			if got := differences(t, c.pattern, answer, match.Rules{}, match.Vars{}); got == nil {
				t.Errorf("%s should not fit %s", c.pattern, answer)
			}
		}
	}
}

func TestNamesStandForTheSameEverywhere(t *testing.T) {
	vars := match.Vars{}
	if got := differences(t, `{"id":"{{id:master}}","pid":"master@{{address:at}}","leader":"{{text:pid}}","n":"{{int:n}}"}`,
		`{"id":"m-1","pid":"master@127.0.0.1:5050","leader":"x\"y","n":7}`, match.Rules{}, vars); got != nil {
		t.Fatal(got)
	}
	want := match.Vars{"master": "m-1", "at": "127.0.0.1:5050", "pid": `x"y`, "n": "7"}
	if diff := cmp.Diff(want, vars); diff != "" {
		t.Fatal(diff)
	}
	for answer, fits := range map[string]bool{
		`{"id":"m-1-S0","x":"<x\"y>","n":7}`: true,
		`{"id":"m-2-S0","x":"<x\"y>","n":7}`: false,
		`{"id":"m-1-S0","x":"<x\"z>","n":7}`: false,
		`{"id":"m-1-S0","x":"<x\"y>","n":8}`: false,
	} {
		got := differences(t, `{"id":"{{id:master}}-S{{int}}","x":"<{{$pid}}>","n":"{{$n}}"}`, answer, match.Rules{}, vars)
		if (got == nil) != fits {
			t.Errorf("%s: %v", answer, got)
		}
	}
	if got := differences(t, `["{{id:a}}","{{id:a}}"]`, `["x","y"]`, match.Rules{}, match.Vars{}); got == nil {
		t.Error("one name, two values in one answer")
	}
	if got := differences(t, `"{{id:a}}/{{id:a}}"`, `"x/y"`, match.Rules{}, match.Vars{}); got == nil {
		t.Error("one name, two values in one string")
	}
}

func TestNothingIsCapturedFromAnAnswerThatDiffers(t *testing.T) {
	vars := match.Vars{}
	if got := differences(t, `{"a":"{{id:a}}","b":1}`, `{"a":"x","b":2}`, match.Rules{}, vars); len(got) != 1 || len(vars) != 0 {
		t.Errorf("%v, %v", got, vars)
	}
}

func TestRulesLoosenSinglePlaces(t *testing.T) {
	for _, c := range []struct {
		name, pattern, answer string
		rules                 match.Rules
		fits                  bool
	}{
		{"keys in any order", `{"a":1,"b":2}`, `{"b":2,"a":1}`, match.Rules{Unordered: []string{"$"}}, true},
		{"keys in any order, but no others", `{"a":1,"b":2}`, `{"b":2,"a":1,"c":3}`, match.Rules{Unordered: []string{"$"}}, false},
		{"only there", `{"a":{"b":1,"c":2}}`, `{"a":{"c":2,"b":1}}`, match.Rules{Unordered: []string{"$"}}, false},
		{"deep", `[{"a":{"b":1,"c":2}}]`, `[{"a":{"c":2,"b":1}}]`, match.Rules{Unordered: []string{"$[*].*"}}, true},
		{"items in any order", `[1,2,3]`, `[3,1,2]`, match.Rules{Unordered: []string{"$"}}, true},
		{"items in any order, each once", `[1,2,2]`, `[2,1,1]`, match.Rules{Unordered: []string{"$"}}, false},
		{"items in any order, as many", `[1,2]`, `[2,1,1]`, match.Rules{Unordered: []string{"$"}}, false},
		{"more keys", `{"a":1}`, `{"x":0,"a":1,"b":2}`, match.Rules{Subset: []string{"$"}}, true},
		{"more keys, still in order", `{"a":1,"b":2}`, `{"b":2,"x":0,"a":1}`, match.Rules{Subset: []string{"$"}}, false},
		{"more items, in order", `[1,3]`, `[1,2,3]`, match.Rules{Subset: []string{"$"}}, true},
		{"more items, not in order", `[3,1]`, `[1,2,3]`, match.Rules{Subset: []string{"$"}}, false},
		{"some items, in any order", `[3,1]`, `[1,2,3]`, match.Rules{Subset: []string{"$"}, Unordered: []string{"$"}}, true},
		{"a key that may be missing", `{"a":1,"b":2}`, `{"a":1}`, match.Rules{Optional: []string{"$.b"}}, true},
		{"an optional key must still fit", `{"a":1,"b":2}`, `{"a":1,"b":3}`, match.Rules{Optional: []string{"$.b"}}, false},
		{"names decide who belongs together", `[{"a":"{{id:x}}","b":1},{"a":"q","b":"{{$x}}"}]`, `[{"a":"q","b":"p"},{"a":"p","b":1}]`, match.Rules{Unordered: []string{"$"}}, true},
		{"a first choice is taken back", `["{{any}}",1]`, `[1,2]`, match.Rules{Unordered: []string{"$"}}, true},
		{"quoted step", `{"a.b":{"x":1,"y":2}}`, `{"a.b":{"y":2,"x":1}}`, match.Rules{Unordered: []string{`$["a.b"]`}}, true},
		{"index", `[[1,2],[1,2]]`, `[[2,1],[1,2]]`, match.Rules{Unordered: []string{"$[0]"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := differences(t, c.pattern, c.answer, c.rules, match.Vars{})
			if (got == nil) != c.fits {
				t.Errorf("%s against %s: %v", c.pattern, c.answer, got)
			}
		})
	}
}

func TestAnUnorderedDifferenceSaysWhatIsNearest(t *testing.T) {
	got := differences(t, `[{"id":"a","n":1},{"id":"b","n":2}]`, `[{"id":"b","n":3},{"id":"a","n":1}]`, match.Rules{Unordered: []string{"$"}}, match.Vars{})
	want := []string{`$: no item is {"id":"b","n":2}; the nearest differs so:`, `$[0].n: want 2, got 3`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPairingManyItemsComesToAnEnd(t *testing.T) {
	pattern, answer := "[", "["
	for range 14 {
		pattern, answer = pattern+`"{{any}}",`, answer+`1,`
	}
	got := differences(t, pattern+`"x"]`, answer+`1]`, match.Rules{Unordered: []string{"$"}}, match.Vars{})
	if len(got) == 0 {
		t.Error("x is not there")
	}
}

func TestTextPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		fits          bool
	}{
		{"405 Method Not Allowed.", "405 Method Not Allowed.", true},
		{"a.c", "abc", false},
		{"//{{address}}/master", "//127.0.0.1:5050/master", true},
		{"{{any}}", "a\nb", true},
		{"x{{any}}y", "xy", true},
		{"{{text}}", "", false},
		{"{{$known}}!", "(k)!", true},
		{"{{$unknown}}", "x", false},
		{"{{date}}", "Fri, 20 Nov 2026 10:11:12 GMT", true},
	} {
		p, err := match.ParseText(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Match(c.text, match.Vars{"known": "(k)"}); (err == nil) != c.fits {
			t.Errorf("%q against %q: %v", c.pattern, c.text, err)
		}
	}
}

func TestWrongPatternsAreRefused(t *testing.T) {
	for _, pattern := range []string{"{{", "{{nope}}", "{{}}", "{{uuid:}}", "{{uuid:a b}}", "{{$}}", "{{/(/}}", "{{/a}}", "{{/a/b}}"} {
		if _, err := match.ParseText(pattern); err == nil {
			t.Errorf("%q passed", pattern)
		}
	}
	for _, path := range []string{"a", "$a", "$.", "$[", "$[x]", `$["a`, "$[]"} {
		if _, err := match.ParseJSON("1", match.Rules{Subset: []string{path}}); err == nil {
			t.Errorf("the path %q passed", path)
		}
	}
	if _, err := match.ParseJSON(`{"a":"{{nope}}"}`, match.Rules{}); err == nil {
		t.Error("an unknown kind deep inside passed")
	}
}

func TestExpandFillsRequests(t *testing.T) {
	expand := func(source string) (string, error) {
		p, err := match.ParseText(source)
		if err != nil {
			t.Fatal(err)
		}
		return p.Expand(match.Vars{"id": "x"})
	}
	if got, err := expand("/v2/apps/{{$id}}/tasks"); err != nil || got != "/v2/apps/x/tasks" {
		t.Errorf("%q, %v", got, err)
	}
	for _, source := range []string{"{{$other}}", "{{any}}", "{{id:id}}"} {
		if got, err := expand(source); err == nil {
			t.Errorf("%s became %q", source, got)
		}
	}
}

func TestJSONTextIsKept(t *testing.T) {
	const text = `{"b":1.50,"a":[true,null,"\u001F\/",-0.0e+7],"b":{}}`
	n, err := match.Parse(" " + strings.ReplaceAll(text, ",", " ,\n") + "\t")
	if err != nil {
		t.Fatal(err)
	}
	if n.String() != text {
		t.Errorf("%s became %s", text, n)
	}
}

// someJSON draws JSON text without wildcards.
func someJSON(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 4).Draw(t, "kind")
		if depth == 0 {
			kind %= 3
		}
		switch kind {
		case 0:
			return rapid.SampledFrom([]string{"null", "true", "false", "0", "-1.50", "1e21"}).Draw(t, "word")
		case 1, 2:
			quoted, err := json.Marshal(rapid.StringMatching(`[a-c"\\<{}é\n]{0,4}`).Draw(t, "text"))
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(string(quoted), "{{", "{")
		case 3:
			return "[" + strings.Join(rapid.SliceOfN(someJSON(depth-1), 0, 4).Draw(t, "items"), ",") + "]"
		}
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID).Draw(t, "keys")
		var members []string
		for _, key := range keys {
			members = append(members, `"`+key+`":`+someJSON(depth-1).Draw(t, "member"))
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

func TestEveryValueMatchesItselfAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someJSON(3).Draw(t, "a"), someJSON(3).Draw(t, "b")
		p, err := match.ParseJSON(a, match.Rules{})
		if err != nil {
			t.Fatal(err)
		}
		for _, answer := range []string{a, b} {
			n, err := match.Parse(answer)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(n, match.Vars{}); (len(got) == 0) != (answer == a) {
				t.Fatalf("%s against %s: %v", a, answer, got)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`{"a":[1,-0.5e+7,"\u00e9\n",true,null]}`)
	f.Add(`[[[[`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := match.Parse(text)
		if valid := json.Valid([]byte(text)); (err == nil) != valid && len(text) < 1000 { // deeper than we go
			t.Fatalf("valid is %v, but: %v", valid, err)
		}
		if err != nil {
			return
		}
		again, err := match.Parse(n.String())
		if err != nil || again.String() != n.String() {
			t.Fatalf("%q is written as %q (%v)", text, n, err)
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("x{{uuid:a}}y{{$a}}{{/a+}}/:b}}", "x")
	f.Add("{{/(?P<g1>a)/:x}}", "a")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := match.ParseText(pattern)
		if err != nil {
			return
		}
		vars := match.Vars{"a": text}
		if p.Match(text, vars) != nil {
			return
		}
		if !strings.Contains(pattern, "{{") && pattern != text {
			t.Fatalf("%q fits %q", pattern, text)
		}
		// What was captured fits again.
		if err := p.Match(text, vars); err != nil {
			t.Fatalf("%q fits %q, but not again: %v", pattern, text, err)
		}
	})
}
