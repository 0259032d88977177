package mesosjson

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

// outcome is a text's fate, in the notation of testdata/stout.jsonl.gz.
func outcome(tb testing.TB, kind, text string) string {
	if kind == "parse" {
		v, err := Parse([]byte(text))
		if err != nil {
			return "S" + err.Error()
		}
		return "O" + string(v.Append(nil))
	}
	name, sorted := strings.CutPrefix(kind, "sorted:")
	m := sample{Type: name}.message(tb)
	err := Unmarshal([]byte(text), m, V1)
	if _, syntax := err.(*SyntaxError); syntax {
		return "S" + err.Error()
	}
	switch {
	case err != nil:
		return "C" + err.Error()
	case sorted:
		return "O" + string(AppendSorted(nil, m, V1))
	}
	return "O" + string(Append(nil, m, V1))
}

func TestTextsFareAsInTheOriginal(t *testing.T) {
	cases := samples(t, "stout")
	for _, c := range cases {
		text, want := string(c.B64), string(c.B64Want)
		if got := outcome(t, c.Type, text); got != want && alphabeticalOutcome(got) != alphabeticalOutcome(want) {
			t.Errorf("%s %.400q\n got %.300q\nwant %.300q", c.Type, text, got, want)
		}
	}
	if len(cases) < 2000 {
		t.Errorf("only %d cases", len(cases))
	}
}

// alphabeticalOutcome takes the order of map entries, which is that of the original's hash, out of an outcome.
func alphabeticalOutcome(outcome string) string {
	if v, err := Parse([]byte(outcome[1:])); err == nil && outcome[0] == 'O' {
		return string(v.Append(nil))
	}
	return outcome
}

func TestValueAccess(t *testing.T) {
	v, err := Parse([]byte(` {"b":[1,2.5,"x",true,null],"a":{"k":-7},"b2":9223372036854775808,"a":{"k":8}} `))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := v.Get("a")
	k, _ := a.Get("k")
	if !ok || k.Int64() != 8 || !k.IsInteger() || k.Float64() != 8 {
		t.Errorf("the last of equal keys counts: %s", v.Append(nil))
	}
	b, _ := v.Get("b")
	e := b.Elements()
	if len(e) != 5 || e[1].Float64() != 2.5 || e[1].Int64() != 2 || e[2].Text() != "x" || !e[3].Bool() || e[4].Kind() != Null {
		t.Errorf("%s", b.Append(nil))
	}
	big, _ := v.Get("b2")
	if big.IsInteger() || big.Float64() != 1<<63 || big.Int64() != math.MinInt64 || big.uint64() != 1<<63 {
		t.Errorf("%v", big)
	}
	if _, ok := v.Get("c"); ok || len(v.Members()) != 3 || v.Members()[0].Key != "a" {
		t.Errorf("%v", v.Members())
	}
	if _, err := ParseKind([]byte("[]"), ObjectKind); err == nil || err.Error() != "Unexpected JSON type parsed" {
		t.Error(err)
	}
}

func TestUnmarshalList(t *testing.T) {
	parse := func(text string) Value {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	list, err := UnmarshalList[mesospb.AgentID](parse(`[{"value":"a"},{"value":"b"}]`), V1)
	if err != nil || len(list) != 2 || list[1].GetValue() != "b" {
		t.Errorf("%v %v", list, err)
	}
	for text, want := range map[string]string{
		`{}`:            "Expecting a JSON array",
		`[{},1]`:        "Missing required fields: value",
		`[null]`:        "Expecting a JSON object",
		`[{"value":1}]`: "Not expecting a JSON number for field 'value'",
	} {
		if _, err := UnmarshalList[mesospb.AgentID](parse(text), V1); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUnmarshalReplacesTheMessage(t *testing.T) {
	f := &mesospb.FrameworkInfo{Hostname: proto.String("old"), Roles: []string{"old"}}
	if err := Unmarshal([]byte(`{"user":"u","name":"n","roles":["new"]}`), f, V1); err != nil || f.Hostname != nil || len(f.Roles) != 1 {
		t.Errorf("%v %v", f, err)
	}
}

// Strings of a message must not keep the request's text in memory.
func TestUnmarshalCopiesStrings(t *testing.T) {
	data := []byte(`{"value":"abc"}`)
	id := &mesospb.AgentID{}
	if err := Unmarshal(data, id, V1); err != nil {
		t.Fatal(err)
	}
	copy(data, strings.Repeat("x", len(data)))
	if id.GetValue() != "abc" {
		t.Error(id)
	}
}

// everyFortieth keeps the seeds of a fuzz target few, so that a short run gets to new inputs.
func everyFortieth(list []sample) (some []sample) {
	for i := 0; i < len(list); i += 40 {
		some = append(some, list[i])
	}
	return some
}

func FuzzParse(f *testing.F) {
	for _, s := range everyFortieth(samples(f, "stout")) {
		f.Add(s.B64)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data)
		if err != nil {
			if err.Error() == "" {
				t.Error("empty error")
			}
			return
		}
		text := v.Append(nil)
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%q became %q: %v", data, text, err)
		}
		if second := again.Append(nil); string(second) != string(text) {
			t.Errorf("%q became %q, then %q", data, text, second)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range everyFortieth(samples(f, "stout")) {
		f.Add(s.B64, byte(0))
	}
	for _, s := range everyFortieth(samples(f, "request")) {
		f.Add([]byte(s.Text), byte(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, d byte) {
		dialect := Dialect(d % dialects)
		call := &schedulerpb.Call{}
		if Unmarshal(data, call, dialect) != nil {
			return
		}
		text := Append(nil, call, dialect)
		again := &schedulerpb.Call{}
		if err := Unmarshal(text, again, dialect); err != nil {
			t.Fatalf("%q became %q: %v", data, text, err)
		}
		if second := Append(nil, again, dialect); string(second) != string(text) {
			t.Errorf("%q became %q, then %q", data, text, second)
		}
		if _, err := proto.Marshal(again); err != nil && !strings.Contains(err.Error(), "UTF-8") {
			t.Error(err)
		}
	})
}

func FuzzAppendDouble(f *testing.F) {
	for _, v := range []float64{0, 1, 0.1, 5e-324, 1e21, 1e-7, math.MaxFloat64, math.Inf(1)} {
		f.Add(math.Float64bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		value := math.Float64frombits(bits)
		text := string(AppendDouble(nil, value))
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		v, err := Parse([]byte(text))
		if err != nil || math.Float64bits(v.Float64()) != bits || v.IsInteger() {
			t.Errorf("%x: %s reads back as %v (%v)", bits, text, v.Float64(), err)
		}
		if len(text) > 32 {
			t.Errorf("%s is %d long", text, len(text))
		}
	})
}
