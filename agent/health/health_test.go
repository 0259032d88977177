package health

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

func TestHealthStateCountsAsTheOriginal(t *testing.T) {
	start := time.Unix(1000, 0)
	check := &mesospb.HealthCheck{GracePeriodSeconds: proto.Float64(10), ConsecutiveFailures: proto.Uint32(2)}
	for _, test := range []struct {
		name    string
		after   []time.Duration
		results []bool
		want    []Verdict
	}{
		{"failures in the grace period are ignored", []time.Duration{1, 10, 11}, []bool{false, false, false},
			[]Verdict{{Ignored: true}, {Ignored: true}, {Report: true, Failures: 1}}},
		{"only the first success is reported", []time.Duration{1, 2, 3}, []bool{true, true, true},
			[]Verdict{{Report: true, Healthy: true}, {Healthy: true}, {Healthy: true}}},
		{"the grace period ends with the first success", []time.Duration{1, 2, 3}, []bool{true, false, true},
			[]Verdict{{Report: true, Healthy: true}, {Report: true, Failures: 1}, {Report: true, Healthy: true}}},
		{"enough failures in a row kill", []time.Duration{1, 2, 3, 4, 5}, []bool{true, false, true, false, false},
			[]Verdict{{Report: true, Healthy: true}, {Report: true, Failures: 1}, {Report: true, Healthy: true}, {Report: true, Failures: 1}, {Report: true, Failures: 2, Kill: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			state := NewHealthState(check, start)
			for i, healthy := range test.results {
				if got := state.Result(start.Add(test.after[i]*time.Second), healthy); got != test.want[i] {
					t.Errorf("result %d: %+v, want %+v", i, got, test.want[i])
				}
			}
		})
	}
}

func TestCheckStateReportsChangesOnly(t *testing.T) {
	check := &mesospb.CheckInfo{Type: mesospb.CheckInfo_COMMAND.Enum()}
	result := func(code int32) *mesospb.CheckStatusInfo {
		return &mesospb.CheckStatusInfo{Type: mesospb.CheckInfo_COMMAND.Enum(), Command: &mesospb.CheckStatusInfo_Command{ExitCode: &code}}
	}
	state := NewCheckState(check)
	for i, step := range []struct{ in, out *mesospb.CheckStatusInfo }{
		{nil, nil},
		{result(4), result(4)},
		{result(4), nil},
		{result(0), result(0)},
		{nil, EmptyStatus(check)},
		{nil, nil},
		{result(0), result(0)},
	} {
		if got := state.Result(step.in); !proto.Equal(got, step.out) || (got == nil) != (step.out == nil) {
			t.Errorf("step %d: %v, want %v", i, got, step.out)
		}
	}
}

// scripted is a runtime whose commands take a time and give an exit status.
type scripted struct {
	takes time.Duration
	codes []int
}

func (s *scripted) Command(ctx context.Context, _ *mesospb.CommandInfo) (int, error) {
	if !sleep(ctx, s.takes) {
		return 0, ctx.Err()
	}
	code := s.codes[0]
	s.codes = append(s.codes[1:], code)
	return code, nil
}

func (s *scripted) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no network")
}

func TestProbesAreTimedFromTheEndOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probe, err := ForHealthCheck(&mesospb.HealthCheck{
			Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: proto.String("x")},
			DelaySeconds: proto.Float64(15), IntervalSeconds: proto.Float64(10), TimeoutSeconds: proto.Float64(20),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		var at []time.Duration
		probe.Run(ctx, &scripted{takes: 3 * time.Second, codes: []int{0}}, func(status *mesospb.CheckStatusInfo, err error) {
			if err != nil || Healthy(status) != nil {
				t.Errorf("%v, %v", status, err)
			}
			if at = append(at, time.Since(start)); len(at) == 3 {
				cancel()
			}
		})
		if at[0] != 18*time.Second || at[1] != 31*time.Second || at[2] != 44*time.Second {
			t.Errorf("results at %v", at)
		}
	})
}

func TestProbesThatTakeTooLongFail(t *testing.T) {
	for _, timeout := range []float64{2, 0} {
		synctest.Test(t, func(t *testing.T) {
			probe, err := ForCheck(&mesospb.CheckInfo{
				Type: mesospb.CheckInfo_COMMAND.Enum(), Command: &mesospb.CheckInfo_Command{Command: &mesospb.CommandInfo{Value: proto.String("x")}},
				TimeoutSeconds: proto.Float64(timeout),
			})
			if err != nil {
				t.Fatal(err)
			}
			status, err := probe.once(t.Context(), &scripted{takes: time.Hour, codes: []int{7}})
			switch {
			case timeout == 0 && (err != nil || status.GetCommand().GetExitCode() != 7):
				t.Errorf("without a timeout: %v, %v", status, err)
			case timeout != 0 && (err == nil || err.Error() != "Command timed out after 2s"):
				t.Errorf("with a timeout: %v, %v", status, err)
			}
		})
	}
}

func TestResultsAreInterpreted(t *testing.T) {
	httpStatus := func(code uint32) *mesospb.CheckStatusInfo {
		return &mesospb.CheckStatusInfo{Type: mesospb.CheckInfo_HTTP.Enum(), Http: &mesospb.CheckStatusInfo_Http{StatusCode: &code}}
	}
	for code, healthy := range map[uint32]bool{199: false, 200: true, 302: true, 399: true, 400: false, 503: false} {
		if got := Healthy(httpStatus(code)) == nil; got != healthy {
			t.Errorf("HTTP %d: healthy %v", code, got)
		}
	}
	tcp := &mesospb.CheckStatusInfo{Type: mesospb.CheckInfo_TCP.Enum(), Tcp: &mesospb.CheckStatusInfo_Tcp{Succeeded: proto.Bool(false)}}
	if err := Healthy(tcp); err == nil || err.Error() != "TCP connection failed" {
		t.Errorf("TCP: %v", err)
	}
}

func TestCheckWithoutATypeIsTakenForWhatItHas(t *testing.T) {
	for _, test := range []struct {
		check *mesospb.HealthCheck
		kind  mesospb.CheckInfo_Type
	}{
		{&mesospb.HealthCheck{Command: &mesospb.CommandInfo{Value: proto.String("true")}}, mesospb.CheckInfo_COMMAND},
		{&mesospb.HealthCheck{Http: &mesospb.HealthCheck_HTTPCheckInfo{Port: proto.Uint32(1)}}, mesospb.CheckInfo_HTTP},
		{&mesospb.HealthCheck{Tcp: &mesospb.HealthCheck_TCPCheckInfo{Port: proto.Uint32(1)}}, mesospb.CheckInfo_TCP},
	} {
		if probe, err := ForHealthCheck(test.check); err != nil || probe.Kind() != test.kind {
			t.Errorf("%v: %v, %v", test.check, probe.Kind(), err)
		}
	}
	if _, err := ForHealthCheck(&mesospb.HealthCheck{}); err == nil || err.Error() != "HealthCheck must specify 'type'" {
		t.Errorf("error %v", err)
	}
}

func TestURLsOfHTTPChecks(t *testing.T) {
	probe, err := ForHealthCheck(&mesospb.HealthCheck{Type: mesospb.HealthCheck_HTTP.Enum(), Http: &mesospb.HealthCheck_HTTPCheckInfo{
		Port: proto.Uint32(8080), Path: proto.String("/health?x=1"), Scheme: proto.String("https"), Protocol: mesospb.NetworkInfo_IPv6.Enum(),
	}})
	if err != nil || probe.url != "https://[::1]:8080/health?x=1" {
		t.Errorf("%s, %v", probe.url, err)
	}
}

// TestCommandsThatTimeOutLeaveNothing runs a real command that tries to stay.
func TestCommandsThatTimeOutLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		// Once the child is up, the time is over.
		for {
			if data, err := os.ReadFile(filepath.Join(dir, "pid")); err == nil && strings.HasSuffix(string(data), "\n") {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := Plain{Environment: os.Environ(), Dir: dir}.Command(ctx, &mesospb.CommandInfo{
		Value: proto.String("trap '' TERM; sh -c 'echo $$ > pid; sleep 1000' & wait"),
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if p, err := proctree.Lookup(pid); err != nil || p.Dead() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCommandStatus(t *testing.T) {
	plain := Plain{Environment: os.Environ()}
	for command, want := range map[string]int{"exit 7": 7, "true": 0, "kill -9 $$": 137, "exit $X": 3} {
		code, err := plain.Command(t.Context(), &mesospb.CommandInfo{
			Value:       proto.String(command),
			Environment: &mesospb.Environment{Variables: []*mesospb.Environment_Variable{{Name: proto.String("X"), Value: proto.String("3")}}},
		})
		if err != nil || code != want {
			t.Errorf("%s: %d, %v", command, code, err)
		}
	}
	if _, err := plain.Command(t.Context(), &mesospb.CommandInfo{Shell: proto.Bool(false), Value: proto.String("/no/such")}); err == nil {
		t.Error("a command that does not exist has a result")
	}
}

func TestDurationsFromTheWire(t *testing.T) {
	for in, want := range map[float64]time.Duration{15: 15 * time.Second, 0.02: 20 * time.Millisecond, -1: 0, 1e300: 1<<63 - 1} {
		if got := seconds(in); got != want {
			t.Errorf("seconds(%v) = %v", in, got)
		}
	}
}
