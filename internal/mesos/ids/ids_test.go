package ids_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
)

const master = "f47ac10b-58cc-4372-a567-0e02b2c3d479"

func TestIDsHaveTheOriginalsFormats(t *testing.T) {
	for got, want := range map[string]string{
		ids.Framework(master, 0):     master + "-0000",
		ids.Framework(master, 42):    master + "-0042",
		ids.Framework(master, 12345): master + "-12345",
		ids.Agent(master, 0):         master + "-S0",
		ids.Offer(master, 17):        master + "-O17",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if id := ids.NewMasterID(); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("master id %q is no random UUID", id)
	}
	if a, b := ids.NewContainerID(), ids.NewContainerID(); a.GetValue() == b.GetValue() {
		t.Error("container ids repeat")
	}
}

func TestUUIDsSurviveBothForms(t *testing.T) {
	u := ids.NewUUID()
	for _, text := range []string{u.String(), strings.ToUpper(u.String())} {
		if again, err := ids.ParseUUID(text); err != nil || again != u {
			t.Errorf("%s: %v, %v", text, again, err)
		}
	}
	if again, err := ids.UUIDFromBytes(u.Bytes()); err != nil || again != u {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range [][]byte{nil, u[:15], append(u.Bytes(), 0), make([]byte, 16), bytes.Repeat([]byte{0xff}, 16)} {
		if _, err := ids.UUIDFromBytes(bad); err == nil || err.Error() != "Not a valid UUID" {
			t.Errorf("%x: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "x", master[1:], strings.Replace(master, "-", "0", 1), strings.Replace(master, "f", "g", 1)} {
		if _, err := ids.ParseUUID(bad); err == nil {
			t.Errorf("%q is no UUID", bad)
		}
	}
}

func TestValidateGivesTheOriginalsTexts(t *testing.T) {
	for id, want := range map[string]string{
		"a task: (1) \u00e9":     "",
		strings.Repeat("x", 255): "",
		"...":                    "",
		"":                       "ID must not be empty",
		strings.Repeat("x", 256): "ID must not be greater than 255 characters",
		".":                      "'.' is disallowed",
		"..":                     "'..' is disallowed",
		"a/b":                    "'a/b' contains invalid characters",
		`a\b`:                    `'a\b' contains invalid characters`,
		"a\nb":                   "'a\nb' contains invalid characters",
		"a\x7f":                  "'a\x7f' contains invalid characters",
	} {
		if got := errorText(ids.Validate(id)); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestContainerIDs(t *testing.T) {
	nest := func(values ...string) *mesospb.ContainerID {
		var id *mesospb.ContainerID
		for _, value := range values {
			id = &mesospb.ContainerID{Value: proto.String(value), Parent: id}
		}
		return id
	}
	if got := ids.ContainerText(nest("a", "b", "c")); got != "a.b.c" {
		t.Error(got)
	}
	long := strings.Repeat("x", 243)
	for want, id := range map[string]*mesospb.ContainerID{
		"":                     nest("a", "b"),
		"ID must not be empty": nest(""),
		"'ContainerID.value' '" + long + "' exceeds the maximum length (242)":                    nest(long),
		"'ContainerID.value' 'a.b' contains invalid characters":                                  nest("a.b"),
		"'ContainerID.parent' is invalid: 'ContainerID.value' 'a b' contains invalid characters": nest("a b", "c"),
	} {
		if got := errorText(ids.ValidateContainer(id)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzParseUUID(f *testing.F) {
	f.Add(master)
	f.Add("f47ac10b-58cc-4372-a567-0e02b2c3d47")
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := ids.ParseUUID(text); err == nil && u.String() != strings.ToLower(text) {
			t.Errorf("%q became %s", text, u)
		}
	})
}

func TestValidIDsAreFileNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		if ids.Validate(id) == nil && (id == "" || id == "." || id == ".." || len(id) > 255 || strings.ContainsAny(id, "/\x00")) {
			t.Fatalf("%q passed", id)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
