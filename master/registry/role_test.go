package registry

import (
	"strings"
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/master/core"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// Weights and quotas are there after a restart, whatever the roles are called, and in
// the document for people.
func TestRolesSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	_, write, closeIt := open(t, dir)
	long := strings.Repeat("r", 5000)
	weight := func(role string, w float64) *mesospb.WeightInfo {
		return &mesospb.WeightInfo{Role: &role, Weight: &w}
	}
	quota := func(role string) *quotapb.QuotaConfig {
		return &quotapb.QuotaConfig{Role: &role, Limits: map[string]*mesospb.Value_Scalar{"cpus": {Value: proto.Float64(2)}}}
	}
	for _, changes := range [][]core.Change{
		{core.PutWeight{Weight: weight("a", 1)}, core.PutWeight{Weight: weight(long, 2)}},
		{core.PutWeight{Weight: weight("a", 3)}},
		{core.PutQuota{Quota: quota("dev")}, core.PutQuota{Quota: quota(long)}, core.PutQuota{Quota: quota("old")}},
		{core.DropQuota{Role: "old"}, core.DropQuota{Role: "never"}},
	} {
		if err := write(changes...); err != nil {
			t.Fatal(err)
		}
	}
	closeIt()
	r, _, closeIt := open(t, dir)
	defer closeIt()
	got, err := r.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byRole := protocmp.SortRepeated(func(a, b *mesospb.WeightInfo) bool { return a.GetRole() < b.GetRole() })
	want := core.Recovery{
		Weights: []*mesospb.WeightInfo{weight(long, 2), weight("a", 3)},
		Quotas:  []*quotapb.QuotaConfig{quota(long), quota("dev")},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform(), byRole); diff != "" {
		t.Error(diff)
	}
	document, err := r.Document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&internalpb.Registry{QuotaConfigs: got.Quotas, Weights: document.Weights}, document, protocmp.Transform()); diff != "" || len(document.Weights) != 2 {
		t.Error(diff)
	}
}
