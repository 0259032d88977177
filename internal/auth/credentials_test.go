package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       map[string]string
	}{
		{"JSON", `{"credentials": [{"principal": "a", "secret": "1"}, {"principal": "b", "secret": "2 3"}]}`, map[string]string{"a": "1", "b": "2 3"}},
		{"JSON, one", ` {"credentials": {"principal": "a", "secret": "1"}}`, map[string]string{"a": "1"}},
		{"the last counts", `{"credentials": [{"principal": "a", "secret": "1"}, {"principal": "a", "secret": "2"}]}`, map[string]string{"a": "2"}},
		{"no secret", `{"credentials": [{"principal": "a"}]}`, map[string]string{"a": ""}},
		{"none", `{}`, map[string]string{}},
		{"text", "a 1\nb\t2\r\n\n", map[string]string{"a": "1", "b": "2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCredentials([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "Credentials file must contain at least one credential"},
		{"blank", " \n", "Credentials file must contain at least one credential"},
		{"cut off", `{"credentials": [{"principal": "a", "secret": "hush`, "Invalid json format: syntax error at line 1"},
		{"trailing", `{"credentials": []} hush`, "Invalid json format: Parsed JSON included non-whitespace trailing characters"},
		{"a list", `[{"principal": "a", "secret": "hush"}]`, "Invalid json format: Unexpected JSON type parsed"},
		{"no principal", `{"credentials": [{"secret": "hush"}]}`, "Failed to parse credentials: Missing required fields: credentials[0].principal"},
		{"a word", "a 1\nhush", "Invalid credential format at line: 2 (Invalid json format: syntax error at line 1)"},
		{"three words", "a 1 hush", "Invalid credential format at line: 1 (Invalid json format: syntax error at line 1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCredentials([]byte(tt.text))
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v, error is %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestCredential(t *testing.T) {
	for _, tt := range []struct{ name, text, principal, secret, err string }{
		{"JSON", `{"principal": "agent", "secret": "s p"}`, "agent", "s p", ""},
		{"text", "agent s\n", "agent", "s", ""},
		{"empty", "", "", "", "Empty credential file"},
		{"no principal", `{"secret": "hush"}`, "", "", "Failed to parse credential: Missing required fields: principal"},
		{"cut off", `{"principal": "hush`, "", "", "Invalid json format: syntax error at line 1"},
		{"a word", "hush", "", "", "Invalid credential format at line: 1 (Invalid json format: syntax error at line 1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s, err := ParseCredential([]byte(tt.text))
			if tt.err == "" && (err != nil || p != tt.principal || s != tt.secret) {
				t.Errorf("%q %q %v", p, s, err)
			}
			if tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Errorf("error is %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"credentials": [{"principal": "a", "secret": "hush"}]}`))
	f.Add([]byte("a hush\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := ParseCredentials(text); err != nil && strings.Contains(string(text), "hush!") && strings.Contains(err.Error(), "hush!") {
			t.Errorf("the error tells the secret: %v", err)
		}
		_, _, _ = ParseCredential(text)
	})
}

func FuzzFirewall(f *testing.F) {
	f.Add([]byte(`{"disabled_endpoints": {"paths": ["/files/debug", "/master/state"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = ParseFirewall(text) })
}
