package resources_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

func TestParseText(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "{}",
		";;":                             "{}",
		"cpus:4;mem:1024":                "cpus:4; mem:1024",
		" cpus : 4 ; mem:1024 ;":         "cpus:4; mem:1024",
		"cpus:0.1;cpus:0.2":              "cpus:0.3",
		"cpus:1e1":                       "cpus:10",
		"cpus:.5":                        "cpus:0.5",
		"cpus:+5":                        "cpus:5",
		"cpus:0":                         "{}",
		"ports:[31000-32000]":            "ports:[31000-32000]",
		"ports:[10-20,1-9,30-30]":        "ports:[1-20, 30-30]",
		"ports:[0x10-0x1F]":              "ports:[16-31]",
		"ports:[1-2] ; zones : {a,b}":    "ports:[1-2]; zones:{a, b}",
		"ports(ads):[31000-32000]":       "ports(reservations: [(STATIC,ads)]):[31000-32000]",
		"cpus( ads/web ):1;cpus(*):2":    "cpus(reservations: [(STATIC,ads/web)]):1; cpus:2",
		"ports:[]":                       "{}",
		"zones:{}":                       "{}",
		"cpus:1;cpus(ads):1;cpus(ads):1": "cpus:1; cpus(reservations: [(STATIC,ads)]):2",
	} {
		rs, err := resources.Parse(text, "*")
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if rs.String() != want {
			t.Errorf("Parse(%q) = %v, want %s", text, rs, want)
		}
	}
}

func TestParseGivesTheDefaultRoleToWhatHasNone(t *testing.T) {
	for _, text := range []string{
		"cpus:1;mem(*):2;disk(ops):3",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},
		  {"name":"mem","type":"SCALAR","scalar":{"value":2},"role":"*"},
		  {"name":"disk","type":"SCALAR","scalar":{"value":3},"reservations":[{"type":"STATIC","role":"ops"}]}]`,
	} {
		rs, err := resources.Parse(text, "ads")
		if err != nil {
			t.Fatal(err)
		}
		if want := "cpus(reservations: [(STATIC,ads)]):1; mem:2; disk(reservations: [(STATIC,ops)]):3"; rs.String() != want {
			t.Errorf("%s\n got %v\nwant %s", text, rs, want)
		}
	}
}

func TestParseErrorsAreTheOriginals(t *testing.T) {
	for text, want := range map[string]string{
		"cpus":              "Bad value for resources, missing or extra ':' in cpus",
		"cpus:1:2":          "Bad value for resources, missing or extra ':' in cpus:1:2",
		"cpus(ads:1":        "Bad value for resources, mismatched parentheses in cpus(ads:1",
		"cpus)(:1":          "Bad value for resources, mismatched parentheses in cpus)(:1",
		"cpus: ":            "Failed to parse resource cpus value   error Expecting non-empty string",
		"cpus:four":         "Bad type for resource cpus value four type TEXT",
		"cpus:-1":           "Bad type for resource cpus value -1 type TEXT",
		"cpus:inf":          "Bad type for resource cpus value inf type TEXT",
		"cpus:nan":          "Bad type for resource cpus value nan type TEXT",
		"cpus:0x10":         "Bad type for resource cpus value 0x10 type TEXT",
		"cpus:1_000":        "Bad type for resource cpus value 1_000 type TEXT",
		"cpus:1e-310":       "Failed to parse resource cpus value 1e-310 error Subnormal values not supported",
		"ports:[1-2":        "Failed to parse resource ports value [1-2 error Mismatched brackets",
		"ports:]1-2[":       "Failed to parse resource ports value ]1-2[ error Mismatched brackets",
		"ports:1[1-2]":      "Failed to parse resource ports value 1[1-2] error Unexpected '[' found",
		"ports:1{a}":        "Failed to parse resource ports value 1{a} error Unexpected '{' found",
		"ports:[1-2-3]":     `Failed to parse resource ports value [1-2-3] error Expecting one or more "ranges"`,
		"ports:[a-2]":       "Failed to parse resource ports value [a-2] error Expecting non-negative integers in 'a'",
		"ports:[5-1]":       "Invalid ranges resource: begin > end",
		"zones:{a,a}":       "Invalid set resource: duplicated elements",
		"cpus(/x):1":        "Role '/x' cannot start with a slash",
		"cpus:0.0001":       "Invalid scalar resource: value <= 0",
		"cpus:1;cpus:[1-2]": "Resources with the same name ('cpus') but different types are not allowed",
		":1":                "Bad value for resources, missing or extra ':' in :1",
		" :1":               "Empty resource name",
		`[{"name":"disk","type":"SCALAR","scalar":{"value":1},"role":"r","disk":{"persistence":{"id":"p"},"volume":{"container_path":"p","mode":"RW"}}}]`: "Persistent volumes cannot be specified at the command line",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}}]`:                                                                           "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the resources JSON",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"ads"}]}]`:                                         "Dynamic reservations cannot be specified at the command line; do not include a reservation with DYNAMIC type in the resources JSON",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservation":{}}]`:                                                                         `Invalid reservation: role "*" cannot be dynamically reserved`,
		`[{"type":"SCALAR"}]`: "Some JSON resources were not formatted properly: Missing required fields: name",
		`[1]`:                 "Some JSON resources were not formatted properly: Expecting a JSON object",
		`[{"name":`:           `Bad value for resources, missing or extra ':' in [{"name":`,
	} {
		if rs, err := resources.Parse(text, "*"); err == nil {
			t.Errorf("Parse(%q) = %v", text, rs)
		} else if err.Error() != want {
			t.Errorf("Parse(%q):\n got %s\nwant %s", text, err, want)
		}
	}
}

func TestParseListKeepsWhatSaysNothingIsThere(t *testing.T) {
	for _, text := range []string{"gpus:0;cpus:1", `[{"name":"gpus","type":"SCALAR","scalar":{"value":0}},{"name":"cpus","type":"SCALAR","scalar":{"value":1.0}}]`} {
		list, err := resources.ParseList(text, "*")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]*mesospb.Resource{scalar("gpus", 0), scalar("cpus", 1)}, list, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}

// plainText is --resources text of rs, which has no more than static reservations.
func plainText(rs resources.Resources) string {
	var parts []string
	for r := range rs.All() {
		p := proto.Clone(r.Proto()).(*mesospb.Resource)
		p.Name, p.Reservations = proto.String(""), nil
		value := strings.TrimPrefix(resources.New(with(p, func(p *mesospb.Resource) { p.Name = proto.String("x") })).String(), "x:")
		parts = append(parts, r.Name()+"("+r.ReservationRole()+"):"+value)
	}
	return strings.Join(parts, ";")
}

func TestParseReadsWhatStringWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := someResources.Draw(t, "resources").Filter(func(r resources.Resource) bool {
			return !r.IsDynamicallyReserved() && !r.IsRevocable()
		})
		text := plainText(rs)
		again, err := resources.Parse(text, "*")
		if err != nil || !again.Equal(rs) {
			t.Fatalf("%q of %v is read as %v (%v)", text, rs, again, err)
		}
		if unreserved := rs.Unreserved(); !unreserved.Empty() {
			again, err := resources.Parse(unreserved.String(), "*")
			if err != nil || again.String() != unreserved.String() {
				t.Fatalf("%v is read as %v (%v)", unreserved, again, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cpus:4;mem:1024;ports(role):[31000-32000]", "zones:{a,b}", "cpus:0x10", "ports:[5-1,1-3]",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1.5},"role":"a","reservation":{"principal":"p"}}]`, "[", "a(b:1", "ports:[18446744073709551615-18446744073709551615]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rs, err := resources.Parse(text, "*")
		if err != nil {
			return
		}
		if !rs.Contains(rs) || !rs.Subtract(rs).Empty() {
			t.Fatalf("%q gave %v", text, rs)
		}
		for _, p := range rs.Proto() {
			if err := resources.Validate(p); err != nil {
				t.Fatalf("%q gave invalid %v: %v", text, p, err)
			}
		}
	})
}
