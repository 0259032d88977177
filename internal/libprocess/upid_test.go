package libprocess

import (
	"net/netip"
	"testing"
)

func TestParseUPID(t *testing.T) {
	at := func(id, addr string) UPID { return UPID{id, netip.MustParseAddrPort(addr)} }
	for text, want := range map[string]UPID{
		"master@127.0.0.1:5050":      at("master", "127.0.0.1:5050"),
		"slave(1)@10.0.0.1:5051":     at("slave(1)", "10.0.0.1:5051"),
		"@0.0.0.0:0":                 at("", "0.0.0.0:0"),
		"  a@1.2.3.4:5 trailing":     at("a", "1.2.3.4:5"),
		"a@1.2.3.4:80abc":            at("a", "1.2.3.4:80"),
		"a@1.2.3.4:65535":            at("a", "1.2.3.4:65535"),
		"scheduler-6f1d@1.2.3.4:007": at("scheduler-6f1d", "1.2.3.4:7"),
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "master", "master@", "master@1.2.3.4", "master@1.2.3.4:", "master@1.2.3.4:x",
		"master@1.2.3.4:65536", "master@host:5050", "master@[::1]:5050", "a@b@1.2.3.4:5", "a@:5", " @1.2.3:4"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func TestResolveUPID(t *testing.T) {
	want := UPID{"master", netip.MustParseAddrPort("127.0.0.1:5050")}
	for _, text := range []string{"master@127.0.0.1:5050", "master@localhost:5050"} {
		if got, err := Resolve(t.Context(), text); err != nil || got != want {
			t.Errorf("Resolve(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"master@:5050", "nothing", "master@no.such.host.invalid:1"} {
		if got, err := Resolve(t.Context(), text); err == nil {
			t.Errorf("Resolve(%q) = %v, want an error", text, got)
		}
	}
}

func TestZeroUPID(t *testing.T) {
	if s := (UPID{}).String(); s != "@0.0.0.0:0" {
		t.Errorf("the zero UPID prints as %s", s)
	}
	for _, u := range []UPID{{}, {ID: "a"}, {Addr: netip.MustParseAddrPort("1.2.3.4:5")},
		{"a", netip.MustParseAddrPort("0.0.0.0:5")}, {"a", netip.MustParseAddrPort("1.2.3.4:0")}} {
		if !u.IsZero() {
			t.Errorf("%s counts as somebody", u)
		}
	}
}
