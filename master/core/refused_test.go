package core

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// refusedLaunch is a recorded ACCEPT and the statuses that the original's master made
// of it. `@` stands for an offer that is good.
type refusedLaunch struct {
	Name, Framework, Call string
	Capabilities, Offers  []string
	Statuses              []string
}

var statusTime = regexp.MustCompile(`"timestamp":[0-9.e]+`)

// Launches that the original refused are refused in the same words.
func TestRecordedRefusals(t *testing.T) {
	text, err := os.ReadFile("testdata/refused-launches.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []refusedLaunch
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		t.Run(one.Name, func(t *testing.T) {
			w := newWorld(t)
			w.addAgent(1, small)
			info := frameworkInfo()
			for _, name := range one.Capabilities {
				info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{
					Type: mesospb.FrameworkInfo_Capability_Type(mesospb.FrameworkInfo_Capability_Type_value[name]).Enum(),
				})
			}
			info.Roles = []string{"*"}
			f := w.subscribe(1, info)
			offer := w.takeOffers(1)[0].GetId().GetValue()
			recorded, _, _ := strings.Cut(one.Framework, "-00")
			here := strings.NewReplacer(one.Framework, f, recorded, masterID)
			call := new(schedulerpb.Call)
			if err := mesosjson.Unmarshal([]byte(here.Replace(one.Call)), call, mesosjson.V1); err != nil {
				t.Fatal(err)
			}
			for i, id := range one.Offers {
				if id == "@" {
					call.Accept.OfferIds[i].Value = &offer
				}
			}
			if a := w.call(f, call); a.Status != 202 {
				t.Fatalf("answer: %+v", a)
			}
			var got []string
			for _, e := range w.takeEvents(1) {
				if e.Update != nil {
					got = append(got, string(mesosjson.Append(nil, e, mesosjson.V1)))
				}
			}
			var want []string
			for _, s := range one.Statuses[:1] { // some names were used twice
				want = append(want, here.Replace(s))
			}
			plain := func(list []string) string { return statusTime.ReplaceAllString(strings.Join(list, "\n"), "") }
			if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}

// A scalar of exactly zero is no amount at all, and no mistake.
func TestZeroOfAResource(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	one := task("zero", agent, "mem:32")
	one.Resources = append(one.Resources, &mesospb.Resource{
		Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0)},
	})
	w.accept(f, []string{w.takeOffers(1)[0].GetId().GetValue()}, 0, launchOp(one))
	first[*internalpb.RunTaskMessage](w, w.take(pidOf(1)))
}
