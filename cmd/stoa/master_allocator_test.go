package main

import (
	"strings"
	"testing"
)

func TestMinAllocatable(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{"cpus:0.01|mem:32", "cpus:0.01|mem:32"},
		{"disk:1|cpus:1;mem:32;ports:1", "disk:1|cpus:1; mem:32; ports:1"},
		{"", ""},
		{"|mem:1|", "mem:1"},
	} {
		sets, err := minAllocatable(c.text)
		var got []string
		for _, set := range sets {
			got = append(got, set.String())
		}
		if text := strings.Join(got, "|"); err != nil || text != c.want || sets == nil {
			t.Errorf("minAllocatable(%q) = %q, %v; want %q", c.text, text, err, c.want)
		}
	}
	if _, err := minAllocatable("cpus:x"); err == nil || err.Error() != "Error parsing min_allocatable_resources 'cpus:x': Failed to parse 'x' to quantity: only scalar values are allowed" {
		t.Error(err)
	}
}
