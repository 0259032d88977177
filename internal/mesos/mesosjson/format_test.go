package mesosjson

import (
	"bufio"
	"compress/gzip"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

func TestDoublesAreWrittenLikeTheOriginals(t *testing.T) {
	for _, c := range []struct {
		value float64
		want  string
	}{
		{0, "0.0"}, {math.Copysign(0, -1), "-0.0"}, {1, "1.0"}, {0.1, "0.1"}, {1024, "1024.0"}, {-1.5, "-1.5"},
		{1566312345.678901, "1566312345.678901"}, {5e-324, "5e-324"}, {1.25e-7, "1.25e-7"},
		{1e20, "100000000000000000000.0"}, {1e21, "1e21"}, {1.5e21, "1.5e21"}, {1e-5, "0.00001"}, {1e-6, "0.000001"},
		{1.5e-6, "0.0000015"}, {1e-7, "1e-7"}, {0.30000000000000004, "0.30000000000000007"}, {1.7976931348623157e308, "1.7976931348623157e308"},
		{-1e-300, "-1e-300"}, {123456789012345680000, "123456789012345680000.0"},
		{math.Inf(1), `"Infinity"`}, {math.Inf(-1), `"-Infinity"`}, {math.NaN(), "NaN"},
	} {
		if got := string(AppendDouble(nil, c.value)); got != c.want {
			t.Errorf("%g: got %s, want %s", c.value, got, c.want)
		}
	}
}

func TestDoublesMatchTheOriginalsBitForBit(t *testing.T) {
	f, err := os.Open("testdata/doubles.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for lines := bufio.NewScanner(z); lines.Scan(); count++ {
		hex, want, _ := strings.Cut(lines.Text(), " ")
		bits, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendDouble(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%s: got %s, want %s", hex, got, want)
		}
	}
	if count < 7000 {
		t.Errorf("only %d doubles", count)
	}
}

func TestCachedPowersAreTheRoundedPowersOfTen(t *testing.T) {
	for i, got := range cachedPowers {
		decimal := firstCachedPower + i*8
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(decimal, -decimal))), nil))
		if decimal < 0 {
			power.Inv(power)
		}
		f := new(big.Float).SetPrec(64).SetRat(power)
		exponent := f.MantExp(nil) - 64
		want, _ := new(big.Float).SetMantExp(f, -exponent).Uint64()
		if got != want || exponent != decimal*217706>>16-63 {
			t.Errorf("10^%d: got %x, want %x x 2^%d", decimal, got, want, exponent)
		}
	}
	for e := -1137; e <= 1000; e++ {
		power, decimal := cachedPower(e)
		if sum := e + power.exponent + 64; sum < -60 || sum > -32 {
			t.Errorf("exponent %d: product has %d", e, sum)
		}
		k := int(math.Ceil(float64(-61-e)*math.Log10(2))) + 347
		if want := -(firstCachedPower + (k>>3+1)*8); decimal != want {
			t.Errorf("exponent %d: decimal %d, want %d", e, decimal, want)
		}
	}
}

func TestStringsAreEscapedLikeTheOriginals(t *testing.T) {
	for in, want := range map[string]string{
		"":                     `""`,
		"plain":                `"plain"`,
		"\"\\\b\f\n\r\t":       `"\"\\\b\f\n\r\t"`,
		"\x00\x01\x1f\x7f":     "\"\\u0000\\u0001\\u001F\x7f\"",
		"/<>&\u2028é\xff\xfe.": "\"/<>&\u2028é\xff\xfe.\"",
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestDefaultsAreWrittenUnlessDeprecated(t *testing.T) {
	for want, m := range map[string]proto.Message{
		`{"failover_timeout":0.0,"checkpoint":false}`: &mesospb.FrameworkInfo{}, // not the deprecated role
		`{"shell":true}`:   &mesospb.CommandInfo{},
		`{"extract":true}`: &mesospb.CommandInfo_URI{},
		`{"type":"VALUE"}`: &mesospb.Environment_Variable{},
		`{"delay_seconds":15.0,"interval_seconds":10.0,"timeout_seconds":20.0}`: &mesospb.CheckInfo{},
		`{"protocol":"IPv4"}`:                   &mesospb.HealthCheck_HTTPCheckInfo{},
		`{"network":"HOST","privileged":false}`: &mesospb.ContainerInfo_DockerInfo{},
		`{"share_cgroups":true}`:                &mesospb.LinuxInfo{},
		`{"cached":true}`:                       &mesospb.Image{},
		`{"port":5050}`:                         &mesospb.MasterInfo{},
		`{"refuse_seconds":5.0}`:                &mesospb.Filters{},
		`{"name":"default"}`:                    &mesospb.CSIPluginInfo{},
		`{"mark_gone":false}`:                   &masterpb.Call_DrainAgent{},
		`{}`:                                    &mesospb.Labels{},
	} {
		if got := string(Append(nil, m, V1)); got != want {
			t.Errorf("%T: got %s, want %s", m, got, want)
		}
	}
	var none *mesospb.Filters
	if got := string(Append(nil, none, V1)); got != `{"refuse_seconds":5.0}` {
		t.Errorf("nil message: %s", got)
	}
}

func TestDialectsNameAgents(t *testing.T) {
	agent := &mesospb.AgentInfo{Hostname: proto.String("slave-agent"), Id: &mesospb.AgentID{Value: proto.String("S0")}}
	status := &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: proto.String("t")}, State: mesospb.TaskState_TASK_LOST.Enum(), AgentId: agent.Id,
		Source: mesospb.TaskStatus_SOURCE_AGENT.Enum(), Reason: mesospb.TaskStatus_REASON_AGENT_REMOVED.Enum(),
	}
	capability := &mesospb.MasterInfo_Capability{Type: mesospb.MasterInfo_Capability_AGENT_UPDATE.Enum()}
	registered := &internalpb.SlaveRegisteredMessage{SlaveId: agent.Id}
	operator := &masterpb.Call_DrainAgent{AgentId: agent.Id, MarkGone: proto.Bool(true)}
	const agentText = `{"hostname":"slave-agent","port":5051,"id":{"value":"S0"}`
	for _, c := range []struct {
		m           proto.Message
		v1, v0, as1 string
	}{
		{agent, agentText + `}`, agentText + `,"checkpoint":false}`, agentText + `,"checkpoint":false}`},
		{
			status,
			`{"task_id":{"value":"t"},"state":"TASK_LOST","source":"SOURCE_AGENT","reason":"REASON_AGENT_REMOVED","agent_id":{"value":"S0"}}`,
			`{"task_id":{"value":"t"},"state":"TASK_LOST","source":"SOURCE_SLAVE","reason":"REASON_SLAVE_REMOVED","slave_id":{"value":"S0"}}`,
			`{"task_id":{"value":"t"},"state":"TASK_LOST","source":"SOURCE_AGENT","reason":"REASON_AGENT_REMOVED","agent_id":{"value":"S0"}}`,
		},
		{capability, `{"type":"AGENT_UPDATE"}`, `{"type":"AGENT_UPDATE"}`, `{"type":"AGENT_UPDATE"}`},
		{registered, `{"slave_id":{"value":"S0"}}`, `{"slave_id":{"value":"S0"}}`, `{"agent_id":{"value":"S0"}}`},
		{
			operator,
			`{"agent_id":{"value":"S0"},"mark_gone":true}`, `{"agent_id":{"value":"S0"},"mark_gone":true}`,
			`{"agent_id":{"value":"S0"},"mark_gone":true}`,
		},
	} {
		for d, want := range []string{c.v1, c.v0, c.as1} {
			if got := string(Append(nil, c.m, Dialect(d))); got != want {
				t.Errorf("dialect %d\n got %s\nwant %s", d, got, want)
			}
			again := c.m.ProtoReflect().New().Interface()
			if err := Unmarshal([]byte(want), again, Dialect(d)); err != nil || string(Append(nil, again, Dialect(d))) != want {
				t.Errorf("dialect %d: %s does not read back: %v", d, want, err)
			}
		}
	}
	other := &mesospb.TaskStatus{}
	if err := Unmarshal([]byte(`{"task_id":{"value":"t"},"state":"TASK_LOST","slave_id":{"value":"S0"}}`), other, V1); err != nil || other.AgentId != nil {
		t.Errorf("a v0 name was read in v1: %v %v", other, err)
	}
}

func TestSortedFormOrdersEveryLevel(t *testing.T) {
	c := &schedulerpb.Call{
		Type:        schedulerpb.Call_DECLINE.Enum(),
		FrameworkId: &mesospb.FrameworkID{Value: proto.String("f")},
		Decline:     &schedulerpb.Call_Decline{Filters: &mesospb.Filters{}, OfferIds: []*mesospb.OfferID{{Value: proto.String("o")}}},
	}
	const declared = `{"framework_id":{"value":"f"},"type":"DECLINE","decline":{"offer_ids":[{"value":"o"}],"filters":{"refuse_seconds":5.0}}}`
	const sorted = `{"decline":{"filters":{"refuse_seconds":5.0},"offer_ids":[{"value":"o"}]},"framework_id":{"value":"f"},"type":"DECLINE"}`
	if got := string(Append(nil, c, V1)); got != declared {
		t.Errorf("got %s", got)
	}
	if got := string(AppendSorted(nil, c, V1)); got != sorted {
		t.Errorf("got %s", got)
	}
	list := []*schedulerpb.Call{c, c}
	if got := string(AppendSortedList(nil, list, V1)); got != "["+sorted+","+sorted+"]" {
		t.Errorf("got %s", got)
	}
	if got := string(AppendList(nil, list[:0], V1)); got != "[]" {
		t.Errorf("got %s", got)
	}
}

// A number that no enum value has comes in protobuf from newer peers. The original's parser leaves the field unset.
func TestUnknownEnumNumbersCountAsUnset(t *testing.T) {
	event := &schedulerpb.Event{Type: schedulerpb.Event_Type(99).Enum()}
	variable := &mesospb.Environment_Variable{Name: proto.String("n"), Type: mesospb.Environment_Variable_Type(99).Enum()}
	container := &mesospb.CSIPluginContainerInfo{Services: []mesospb.CSIPluginContainerInfo_Service{99, 1, 98}}
	for want, m := range map[string]proto.Message{
		`{}`:                                  event,
		`{"name":"n","type":"VALUE"}`:         variable,
		`{"services":["CONTROLLER_SERVICE"]}`: container,
	} {
		if got := string(Append(nil, m, V1)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDocumentsComeOutInCallOrder(t *testing.T) {
	buf := []byte("before ")
	o := BeginObject(&buf)
	o.String("version", "1.12.0")
	o.Double("cpus", 4)
	o.Int("n", -1)
	o.Uint("u", math.MaxUint64)
	o.Bool("ok", true)
	o.Null("none")
	o.Bytes("data", []byte{0, 1, 2})
	o.Raw("raw", []byte(`{"x":1}`))
	o.Strings("roles", []string{"{", "["})
	o.Strings("empty", nil)
	o.Message("filters", &mesospb.Filters{}, V1)
	o.SortedMessage("id", &mesospb.AgentID{Value: proto.String("a")}, V1)
	Messages(o, "list", []*mesospb.AgentID{{Value: proto.String("a")}, {Value: proto.String("b")}}, V1)
	inner := o.Object("{")
	inner.End()
	list := o.Array("[")
	first := list.Object()
	first.String("[", "{")
	first.End()
	second := list.Array()
	second.Double(0.5)
	second.Int(7)
	second.Bool(false)
	second.String("s")
	second.Raw([]byte("null"))
	second.Message(&mesospb.Filters{}, V1)
	second.SortedMessage(&mesospb.Filters{}, V1)
	second.End()
	list.End()
	o.End()
	const want = `before {"version":"1.12.0","cpus":4.0,"n":-1,"u":18446744073709551615,"ok":true,"none":null,"data":"AAEC","raw":{"x":1},` +
		`"roles":["{","["],"empty":[],"filters":{"refuse_seconds":5.0},"id":{"value":"a"},"list":[{"value":"a"},{"value":"b"}],"{":{},` +
		`"[":[{"[":"{"},[0.5,7,false,"s",null,{"refuse_seconds":5.0},{"refuse_seconds":5.0}]]}`
	if string(buf) != want {
		t.Errorf("got  %s\nwant %s", buf, want)
	}
}

// Plans are built at first use, maybe by many requests at once.
func TestPlansMayBeBuiltConcurrently(t *testing.T) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			m := &masterpb.Event{}
			if err := Unmarshal([]byte(`{"type":"TASK_ADDED","task_added":{"task":{"name":"n","task_id":{"value":"t"},"framework_id":{"value":"f"},`+
				`"agent_id":{"value":"a"},"state":"TASK_RUNNING"}}}`), m, AsV1); err != nil {
				t.Error(err)
			}
			Append(nil, m, V0)
			AppendSorted(nil, m, V1)
		})
	}
	group.Wait()
}
