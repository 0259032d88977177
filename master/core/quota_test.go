package core

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/internal/mesos/resources"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func amountsOf(text string) map[string]*mesospb.Value_Scalar {
	if text == "" {
		return nil
	}
	q, err := resources.ParseQuantities(text)
	if err != nil {
		panic(err)
	}
	m := make(map[string]*mesospb.Value_Scalar)
	for name, amount := range q.All() {
		m[name] = &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())}
	}
	return m
}

func quotaConfig(role, guarantees, limits string) *quotapb.QuotaConfig {
	return &quotapb.QuotaConfig{Role: &role, Guarantees: amountsOf(guarantees), Limits: amountsOf(limits)}
}

func (w *world) updateQuota(force bool, configs ...*quotapb.QuotaConfig) Answer {
	w.t.Helper()
	return w.ask(func(id RequestID) Event { return UpdateQuota{Request: id, Configs: configs, Force: force} })
}

func (w *world) setQuota(force bool, role, guarantee string) Answer {
	w.t.Helper()
	return w.ask(func(id RequestID) Event {
		return SetQuota{Request: id, Quota: &quotapb.QuotaRequest{Force: &force, Role: &role, Guarantee: res(guarantee)}}
	})
}

func (w *world) removeQuota(role, path string) Answer {
	w.t.Helper()
	return w.ask(func(id RequestID) Event { return RemoveQuota{Request: id, Role: role, Path: path} })
}

// quotas are what a snapshot shows, as "role guarantees|limits".
func (w *world) quotas() string {
	var out []string
	for _, role := range sortedKeys(w.c.Snapshot(nil).Quotas) {
		q := w.c.Snapshot(nil).Quotas[role]
		out = append(out, role+" "+q.Guarantees.String()+"|"+q.Limits.String())
	}
	return strings.Join(out, ", ")
}

// The calls of a recorded conversation with an operator, and what is left of them.
func TestQuotaCallsAsRecorded(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	huge := quotaConfig("n", "", "cpus:1")
	huge.Limits["cpus"].Value = proto.Float64(1e18)
	negative := quotaConfig("n", "", "cpus:1")
	negative.Limits["cpus"].Value = proto.Float64(-1)
	const over = "Invalid QuotaConfig: total quota guarantees 'cpus:102; mem:128' exceed cluster capacity 'cpus:4; disk:8192; mem:4096' (use 'force' flag to bypass this check)"
	for _, step := range []struct {
		force   bool
		configs []*quotapb.QuotaConfig
		status  int
		body    string
	}{
		{false, []*quotapb.QuotaConfig{quotaConfig("dev", "cpus:1;mem:128", "cpus:2;mem:256")}, 200, ""},
		{false, []*quotapb.QuotaConfig{quotaConfig("lim", "", "cpus:1")}, 200, ""},
		{false, []*quotapb.QuotaConfig{quotaConfig("x", "cpus:2", "cpus:1")}, 400, "Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 2 } is not contained within the 'QuotaConfig.limits' { cpus: 1 }"},
		{false, []*quotapb.QuotaConfig{quotaConfig("*", "cpus:1", "")}, 200, ""},
		{false, []*quotapb.QuotaConfig{quotaConfig("big", "cpus:100", "")}, 400, over},
		{true, []*quotapb.QuotaConfig{quotaConfig("big", "cpus:100", "cpus:100")}, 200, ""},
		{false, []*quotapb.QuotaConfig{quotaConfig("d", "", "cpus:1"), quotaConfig("d", "", "cpus:1")}, 400, over},
		{false, []*quotapb.QuotaConfig{negative}, 400, "Invalid QuotaConfig: Invalid limit configuration {'cpus': -1}: Negative values not supported"},
		{false, []*quotapb.QuotaConfig{huge}, 400, "Invalid QuotaConfig: Invalid 'QuotaConfig.limits': {'cpus': -9.22337203685478e+15} is invalid: values greater than 1 trillion (1000000000000) are not supported"},
		{false, []*quotapb.QuotaConfig{quotaConfig("dev/a", "cpus:3", "cpus:3")}, 400, "Updating quota on nested role 'dev/a' is not supported yet"},
		{false, nil, 400, over},
		{false, []*quotapb.QuotaConfig{quotaConfig("a b", "", "cpus:1")}, 400, "Invalid QuotaConfig: Invalid 'QuotaConfig.role': Role component 'a b' is invalid because it contains backspace or whitespace"},
		{false, []*quotapb.QuotaConfig{quotaConfig("dev", "", ""), quotaConfig("big", "", ""), quotaConfig("lim", "", "")}, 200, ""},
	} {
		w.answersWith(w.updateQuota(step.force, step.configs...), step.status, step.body)
	}
	if got := w.quotas(); got != "* cpus:1|{}, big {}|{}, dev {}|{}, lim {}|{}" {
		t.Errorf("quotas: %s", got)
	}
	w.answersWith(w.setQuota(true, "old", "cpus:1"), 200, "")
	w.answersWith(w.removeQuota("old", ""), 200, "")
	// This call ends the original's master.
	w.answersWith(w.removeQuota("never-had", ""), 400, "Failed to remove quota: Role 'never-had' has no quota set")
}

// The older call, with the texts recorded.
func TestOlderQuotaCallAsRecorded(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		force           bool
		role, guarantee string
		status          int
		body            string
	}{
		{false, "dev", "cpus:1", 409, "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees 'cpus:1' exceed cluster capacity '{}'"},
		{true, "dev", "cpus:1;mem:128", 200, ""},
		{true, "dev", "cpus:1", 400, "Failed to validate set quota request: Cannot set quota for role 'dev' which already has quota"},
		{true, "*", "cpus:1", 200, ""},
		{true, "", "cpus:1", 400, "Failed to validate set quota request: QuotaInfo with invalid role: Role names cannot be the empty string"},
		{true, "q2", "", 400, "Failed to validate set quota request: QuotaInfo with empty 'guarantee'"},
		{true, "q2", "ports:[1-2]", 400, "Failed to validate set quota request: QuotaInfo must not include non-scalar resources"},
		{true, "q2", "cpus:1;cpus:1", 400, "Failed to validate set quota request: QuotaInfo contains duplicate resource name 'cpus'"},
		{true, "q2", "cpus(q2):1", 400, "Failed to validate set quota request: QuotaInfo must not contain any ReservationInfo"},
		{true, "a/b", "cpus:1", 400, "Failed to validate set quota request: Invalid quota configuration. Parent role 'a' with guarantees ({}) does not contain the sum of its children's guarantees (cpus:1)"},
		{true, "dev/b", "cpus:1", 400, "Setting quota on nested role 'dev/b' is not supported yet"},
	} {
		w.answersWith(w.setQuota(step.force, step.role, step.guarantee), step.status, step.body)
	}
	if got := w.quotas(); got != "* cpus:1|cpus:1, dev cpus:1; mem:128|cpus:1; mem:128" {
		t.Errorf("quotas: %s", got)
	}
	w.answersWith(w.removeQuota("dev", "/master/quota/dev"), 200, "")
	w.answersWith(w.removeQuota("dev", "/master/quota/dev"), 400, "Failed to remove quota for path '/master/quota/dev': Role 'dev' has no quota set")
}

// A limit below what a role consumes needs force.
func TestQuotaBelowWhatIsConsumed(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(), "dev"))
	w.running(f, agent, "t", 1) // a cpu
	w.direct(agent, reserveOp(byOperator(reservedTo("dev/a", "cpus:1"))))
	consumed := w.c.consumed("dev")
	a := w.updateQuota(false, quotaConfig("dev", "", "cpus:1"))
	w.answersWith(a, 400, "Invalid QuotaConfig: Role 'dev' is already consuming '"+consumed.String()+"'; this is more than the requested limits 'cpus:1' (use 'force' flag to bypass this check)")
	if !strings.HasPrefix(consumed.String(), "cpus:2;") {
		t.Errorf("consumed: %s", consumed)
	}
	w.answersWith(w.updateQuota(true, quotaConfig("dev", "", "cpus:1")), 200, "")
}

// Roles that are not on the whitelist get nothing.
func TestQuotaAndWhitelist(t *testing.T) {
	w := newWorld(t, func(cfg *Config) { cfg.Roles = []string{"dev", "*"} })
	w.answersWith(w.updateQuota(true, quotaConfig("ops", "", "cpus:1")), 400, "Invalid QuotaConfig: 'ops' is not on the roles whitelist")
	w.answersWith(w.setQuota(true, "ops", "cpus:1"), 400, "Failed to validate set quota request: Unknown role 'ops'")
	w.answersWith(w.removeQuota("ops", "/master/quota/ops"), 400, "Failed to validate remove quota request for path '/master/quota/ops': Unknown role 'ops'")
	w.answersWith(w.updateWeights(map[string]float64{"ops": 2}), 400, "Failed to validate update weights request JSON: Unknown role 'ops'")
	w.answersWith(w.updateQuota(true, quotaConfig("dev", "", "cpus:1")), 200, "")
}

// An operator who may not is refused, and nothing happens.
func TestQuotaNeedsAuthority(t *testing.T) {
	w := newWorld(t)
	no := func(string) bool { return false }
	config := quotaConfig("dev", "", "cpus:1")
	w.answersWith(w.ask(func(id RequestID) Event {
		return UpdateQuota{Request: id, Configs: []*quotapb.QuotaConfig{config}, Authorize: no}
	}), http.StatusForbidden, "403 Forbidden.")
	w.updateQuota(false, config)
	w.answersWith(w.ask(func(id RequestID) Event { return RemoveQuota{Request: id, Role: "dev", Authorize: no} }), http.StatusForbidden, "403 Forbidden.")
	w.answersWith(w.ask(func(id RequestID) Event {
		return SetQuota{Request: id, Quota: &quotapb.QuotaRequest{Role: proto.String("ops"), Guarantee: res("cpus:1")}, Authorize: no}
	}), http.StatusForbidden, "403 Forbidden.")
	w.answersWith(w.ask(func(id RequestID) Event {
		return UpdateWeights{Request: id, Weights: weightInfos(map[string]float64{"dev": 2}), Authorize: func(...string) bool { return false }}
	}), http.StatusForbidden, "403 Forbidden.")
	if w.quotas() != "dev {}|cpus:1" || len(w.c.Snapshot(nil).Weights) != 0 {
		t.Errorf("quotas: %s, weights %v", w.quotas(), w.c.Snapshot(nil).Weights)
	}
}

// A quota takes back what is offered: from the role itself down to its limits, from
// others up to its guarantees.
func TestQuotaRescindsOffers(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	w.subscribe(1, inRoles(frameworkInfo(), "dev"))
	w.takeEvents(1)
	w.updateQuota(true, quotaConfig("dev", "", "cpus:1"))
	var offered resources.Resources
	for _, o := range w.c.outOffers {
		offered = offered.Add(o.Resources)
	}
	if got := offered.Cpus(); got.Float() > 1 {
		t.Errorf("offered to a role with a limit of one cpu: %s", offered)
	}
	w.takeEvents(1)

	other := newWorld(t)
	other.addAgent(1, small)
	other.subscribe(1, inRoles(frameworkInfo(), "dev"))
	other.takeEvents(1)
	other.answersWith(other.updateQuota(false, quotaConfig("prod", "cpus:3;mem:1024", "")), 200, "")
	other.subscribe(2, inRoles(frameworkInfo(), "prod"))
	var got resources.Resources
	for _, o := range other.takeOffers(2) {
		got = got.Add(resources.New(o.Resources...))
	}
	if got.Cpus().Float() < 3 || got.Mem().Float() < 1024 {
		t.Errorf("a guaranteed role is offered %s", got)
	}
}

// Quotas are answered for when they are durable, and a master that starts again knows
// them.
func TestQuotasAreDurable(t *testing.T) {
	w := newWorld(t)
	w.holdWrites = true
	config := quotaConfig("dev", "cpus:1", "cpus:2")
	w.step(UpdateQuota{Request: 1, Configs: []*quotapb.QuotaConfig{config}, Force: true})
	if _, answered := w.answers[1]; answered || w.quotas() != "" {
		t.Error("answered before it was written")
	}
	if len(w.writes) != 1 {
		t.Fatalf("writes: %v", w.writes)
	}
	want := []Change{PutQuota{config}, PutCapability{"QUOTA_V2"}}
	if diff := cmp.Diff(want, w.writes[0].Changes, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	w.releaseWrites()
	w.flush()
	w.answersWith(w.answers[1], 200, "")

	w.step(UpdateQuota{Request: 2, Configs: []*quotapb.QuotaConfig{quotaConfig("dev", "", "")}})
	want = []Change{DropQuota{"dev"}, DropCapability{"QUOTA_V2"}}
	if diff := cmp.Diff(want, w.writes[0].Changes); diff != "" {
		t.Error(diff)
	}

	again := newWorldAfter(t, Recovery{Quotas: []*quotapb.QuotaConfig{config}})
	if got := again.quotas(); got != "dev cpus:1|cpus:2" {
		t.Errorf("after a start: %s", got)
	}
}

// Right after a start with quotas nothing is offered until most agents are back.
func TestOffersWaitForAgentsWhileThereAreQuotas(t *testing.T) {
	id := masterID + "-S0"
	info := agentInfo(1, small)
	info.Id = &mesospb.AgentID{Value: &id}
	recovery := Recovery{
		Agents: []*internalpb.Registry_Slave{{Info: info}},
		Quotas: []*quotapb.QuotaConfig{quotaConfig("dev", "cpus:1", "")},
	}
	w := newWorldAfter(t, recovery)
	w.subscribe(1, inRoles(frameworkInfo(), "other"))
	w.addAgent(2, small)
	// One agent was expected, and there is one.
	if len(w.takeOffers(1)) != 1 {
		t.Error("nothing is offered though enough agents are there")
	}
	recovery.Agents = append(recovery.Agents, &internalpb.Registry_Slave{Info: proto.Clone(info).(*mesospb.AgentInfo)})
	recovery.Agents[1].Info.Id.Value = proto.String(masterID + "-S1")
	recovery.Agents = append(recovery.Agents, &internalpb.Registry_Slave{Info: proto.Clone(info).(*mesospb.AgentInfo)})
	recovery.Agents[2].Info.Id.Value = proto.String(masterID + "-S2")
	w = newWorldAfter(t, recovery)
	w.subscribe(1, inRoles(frameworkInfo(), "other"))
	w.addAgent(4, small)
	if got := w.takeOffers(1); len(got) != 0 {
		t.Errorf("offered while agents are missing: %v", got)
	}
	w.advance(11*time.Minute, pidOf(4))
	if len(w.takeOffers(1)) == 0 {
		t.Error("nothing is offered when the wait is over")
	}
}

func weightInfos(weights map[string]float64) []*mesospb.WeightInfo {
	var list []*mesospb.WeightInfo
	for _, role := range sortedKeys(weights) {
		list = append(list, &mesospb.WeightInfo{Role: &role, Weight: proto.Float64(weights[role])})
	}
	return list
}

func (w *world) updateWeights(weights map[string]float64) Answer {
	w.t.Helper()
	return w.ask(func(id RequestID) Event { return UpdateWeights{Request: id, Weights: weightInfos(weights)} })
}

// Weights are checked, kept, and take the offers back if a framework is in one of the
// roles.
func TestWeights(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	const failed = "Failed to validate update weights request JSON"
	w.answersWith(w.updateWeights(map[string]float64{"a": 0}), 400, failed+" for role 'a': Invalid weight '0': Weights must be positive")
	w.answersWith(w.updateWeights(map[string]float64{"a": -1}), 400, failed+" for role 'a': Invalid weight '-1': Weights must be positive")
	w.answersWith(w.updateWeights(map[string]float64{"a": math.NaN()}), 400, failed+" for role 'a': Invalid weight 'NaN': Weights must be positive")
	w.answersWith(w.updateWeights(map[string]float64{".": 1}), 400, failed+": Invalid role '.': Role '.' cannot include '.' as a component")
	w.answersWith(w.updateWeights(nil), 200, "")
	if len(w.c.Snapshot(nil).Weights) != 0 {
		t.Error("weights from nothing")
	}
	w.subscribe(1, inRoles(frameworkInfo(), "dev"))
	first := w.takeOffers(1)[0].GetId().GetValue()
	w.answersWith(w.updateWeights(map[string]float64{"other": 2}), 200, "")
	if got := w.takeEvents(1); len(got) != 0 {
		t.Errorf("a weight of a role without frameworks: %v", got)
	}
	before := w.c.Snapshot(nil)
	w.answersWith(w.updateWeights(map[string]float64{" dev\t": 3}), 200, "")
	events := w.takeEvents(1)
	if len(events) != 2 || events[0].GetRescind().GetOfferId().GetValue() != first || len(events[1].GetOffers().GetOffers()) != 1 {
		t.Errorf("events: %v", events)
	}
	if diff := cmp.Diff(map[string]float64{"other": 2, "dev": 3}, w.c.Snapshot(nil).Weights); diff != "" {
		t.Error(diff)
	}
	if len(before.Weights) != 1 {
		t.Errorf("an old snapshot changed: %v", before.Weights)
	}
}

// The weights of the command line go into a registry that has none, and are left alone
// where it has some.
func TestWeightsOfTheCommandLine(t *testing.T) {
	flag := func(cfg *Config) { cfg.Weights = map[string]float64{"a": 2} }
	w := newWorld(t, flag)
	w.holdWrites = true
	w.flush()
	if len(w.writes) != 1 || w.writes[0].Changes[0].(PutWeight).Weight.GetRole() != "a" {
		t.Errorf("writes: %v", w.writes)
	}
	w = newWorldAfter(t, Recovery{Weights: weightInfos(map[string]float64{"b": 3})}, flag)
	w.holdWrites = true
	w.flush()
	if got := w.c.Snapshot(nil).Weights; len(w.writes) != 0 || len(got) != 1 || got["b"] != 3 {
		t.Errorf("weights %v, writes %v", got, w.writes)
	}
}
