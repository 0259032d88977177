package playjson

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestBrokenTextGetsTheOriginalsMessage(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"/test"`: `Unexpected end-of-input: expected close marker for Object (start marker at [Source: (byte[])"{"id":"/test""; line: 1, column: 1])`,
		`{id:1}`:        `Unexpected character ('i' (code 105)): was expecting double-quote to start field name`,
		`nope`:          `Unrecognized token 'nope': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`,
		"{\n  \"id\": \"basic1\",\n  \"cmd\": \"x\"\n  \"cpus\": 0.1\n}": `Unexpected character ('"' (code 34)): was expecting comma to separate Object entries`,
		`[1,2}`:             `Unexpected close marker '}': expected ']' (for Array starting at [Source: (byte[])"[1,2}"; line: 1, column: 1])`,
		`{"a" 1}`:           `Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value`,
		`{"a":1,}`:          `Unexpected character ('}' (code 125)): was expecting double-quote to start field name`,
		`[1,]`:              `Unexpected character (']' (code 93)): expected a value`,
		`{"a":01}`:          `Invalid numeric value: Leading zeroes not allowed`,
		`{"a":"b`:           `Unexpected end-of-input in VALUE_STRING`,
		`{"a":`:             `Unexpected end-of-input within/between Object entries`,
		`{"a":'b'}`:         `Unexpected character (''' (code 39)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`,
		"{\"a\":\"b\nc\"}":  `Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value`,
		`{"a":NaN}`:         `Non-standard token 'NaN': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow`,
		`{"a":1.}`:          `Unexpected character ('}' (code 125)) in numeric value: Decimal point not followed by a digit`,
		`{"a":-x}`:          `Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value`,
		`{"a":"\x"}`:        `Unrecognized character escape 'x' (code 120)`,
		`{"a":1} rest`:      `Unrecognized token 'rest': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`,
		`{} /* why */`:      `Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)`,
		`{"`:                `Unexpected end-of-input: was expecting closing '"' for name`,
		"{\"a\":\"\xff\"}":  `Invalid UTF-8 start byte 0xff`,
		"{\"a\":\"\xc3(\"}": `Invalid UTF-8 middle byte 0x28`,
		`{"a":truely}`:      `Unrecognized token 'truely': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`,
	} {
		_, err := Parse([]byte(text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Message != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestNoContentIsToldApart(t *testing.T) {
	_, err := Parse(nil)
	var empty *EmptyError
	if !errors.As(err, &empty) || err.Error() != "No content to map due to end-of-input\n at [Source: (byte[])\"\"; line: 1, column: 0]" {
		t.Errorf("got %v", err)
	}
}

func TestKeysAreCountedOnceInLargeObjects(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"first":0`)
	for i := range 40 {
		fmt.Fprintf(&text, `,"k%d":%d`, i, i)
	}
	text.WriteString(`,"first":1,"k39":2,"last":3}`)
	value, err := Parse([]byte(text.String()))
	if err != nil || len(value.Keys) != 42 {
		t.Fatalf("%d keys, %v", len(value.Keys), err)
	}
	for key, want := range map[string]string{"first": "1", "k0": "0", "k39": "2", "last": "3"} {
		if member, ok := value.Get(key); !ok || member.String() != want {
			t.Errorf("%s is %v", key, member)
		}
	}
}

func TestTooManyValuesAreRefused(t *testing.T) {
	if _, err := parse([]byte(`[1,{"a":2}]`), 4); err != nil {
		t.Error(err)
	}
	_, err := parse([]byte(`[1,{"a":2},3]`), 4)
	var limit *LimitError
	if !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
}

func TestNumbersThatTakeForeverAreRefused(t *testing.T) {
	for _, number := range []string{strings.Repeat("9", 311), "1e999999", "1e-6200"} {
		_, err := Parse([]byte(`{"a":` + number + `}`))
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%.20s: got %v", number, err)
		}
	}
	if _, err := Parse([]byte(strings.Repeat("[", 100000))); err == nil {
		t.Error("deep nesting was read")
	}
}

func TestValuesPrintCompactly(t *testing.T) {
	for text, want := range map[string]string{
		`{"cmd" : "sleep 1" , "mem": 10.0, "a":[ 1, 1.50, -0.0001, 1e3, 1E+25, 0.0 ] }`: `{"cmd":"sleep 1","mem":10,"a":[1,1.5,-0.0001,1000,1E+25,0]}`,
		`{"a":1,"b":2,"a":3}`:               `{"a":3,"b":2}`,
		`"<&>\u001b\/\n\u00e4\ud83d\ude00"`: `"<&>\u001B/\nä😀"`,
		`[true,false,null]`:                 `[true,false,null]`,
		`{"a":1} {`:                         `{"a":1}`,
	} {
		value, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := value.String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestDoublesPrintAsTheTwoSerialisersDo(t *testing.T) {
	for _, c := range []struct {
		value      float64
		java, play string
	}{
		{1, "1.0", "1"}, {0, "0.0", "0"}, {128, "128.0", "128"}, {0.1, "0.1", "0.1"}, {1.15, "1.15", "1.15"},
		{1e-4, "1.0E-4", "0.0001"}, {1e7, "1.0E7", "10000000"}, {123456780, "1.2345678E8", "123456780"},
		{-2.5, "-2.5", "-2.5"}, {9999999, "9999999.0", "9999999"}, {0.001, "0.001", "0.001"},
		{1e21, "1.0E21", "1E+21"}, {1.5e-11, "1.5E-11", "1.5E-11"},
	} {
		if got := string(AppendJavaDouble(nil, c.value)); got != c.java {
			t.Errorf("java %v: %s, want %s", c.value, got, c.java)
		}
		if got := string(AppendPlayDouble(nil, c.value)); got != c.play {
			t.Errorf("play %v: %s, want %s", c.value, got, c.play)
		}
	}
}

func TestLongNumbersRoundToThirtyFourDigits(t *testing.T) {
	value, err := Parse([]byte(`99999999999999999999999999999999999`))
	if err != nil || value.String() != "1E+35" {
		t.Errorf("got %s, %v", value.String(), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u0041",null,true]}`, `{"a" 1}`, `[[[`, `-`, "\xff", `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := Parse(text)
		if err != nil {
			return
		}
		printed := value.Append(nil)
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, printed, err)
		}
		if second := again.String(); second != string(printed) {
			t.Fatalf("%q, then %q", printed, second)
		}
	})
}
