package flags

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func table() *Table {
	return &Table{Program: "mesos-master", EnvPrefix: "MESOS_", Flags: []Flag{
		{Name: "agent_ping_timeout", Aliases: []string{"slave_ping_timeout"}, Kind: Duration, Default: "15secs"},
		{Name: "hostname", Kind: String, NoDefault: true},
		{Name: "hostname_lookup", Kind: Bool, Default: "true"},
		{Name: "help", Kind: Bool, Default: "false"},
		{Name: "port", Kind: Int, Default: "5050"},
		{Name: "size", Kind: Bytes, Default: "4096B"},
		{Name: "work_dir", Kind: Path, NoDefault: true},
	}}
}

func TestLoadStoutForms(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "name")
	if err := os.WriteFile(name, []byte("host-from-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		env  []string
		want map[string]string
		err  string
	}{
		{name: "defaults", want: map[string]string{"agent_ping_timeout": "15secs", "hostname_lookup": "true", "port": "5050", "size": "4KB", "help": "false"}},
		{name: "bare boolean", args: []string{"--no-hostname_lookup"}, want: map[string]string{"hostname_lookup": "false"}},
		{name: "empty boolean is true", args: []string{"--hostname_lookup="}, want: map[string]string{"hostname_lookup": "true"}},
		{name: "boolean 0", args: []string{"--hostname_lookup=0"}, want: map[string]string{"hostname_lookup": "false"}},
		{name: "names are lower-cased", args: []string{"--PORT=1"}, want: map[string]string{"port": "1"}},
		{name: "environment", env: []string{"MESOS_PORT=7"}, want: map[string]string{"port": "7"}},
		{name: "command line hides environment", args: []string{"--port=8"}, env: []string{"MESOS_PORT=7"}, want: map[string]string{"port": "8"}},
		{name: "negated environment", env: []string{"MESOS_NO-HOSTNAME_LOOKUP="}, want: map[string]string{"hostname_lookup": "false"}},
		{name: "foreign environment", env: []string{"MESOS_SANDBOX=/x", "MESOSX=1"}, want: map[string]string{"port": "5050"}},
		{name: "file content", args: []string{"--hostname=file://" + name}, want: map[string]string{"hostname": "file://" + name}},
		{name: "stop at --", args: []string{"--", "--port=9"}, want: map[string]string{"port": "5050"}},
		{name: "alias", args: []string{"--slave_ping_timeout=90secs"}, want: map[string]string{"agent_ping_timeout": "90secs"}},
		{name: "unknown", args: []string{"--prot=1"}, err: "Failed to load unknown flag 'prot'; did you mean --port?"},
		{name: "unknown negated", args: []string{"--no-zzzzzzzzz"}, err: "Failed to load unknown flag 'zzzzzzzzz' via 'no-zzzzzzzzz'"},
		{name: "twice", args: []string{"--port=1", "--port=2"}, err: "Flag 'port' is already loaded via name 'port'"},
		{name: "name and alias", args: []string{"--agent_ping_timeout=1secs", "--slave_ping_timeout=1secs"}, err: "Flag 'slave_ping_timeout' is already loaded via name 'agent_ping_timeout'"},
		{name: "missing value", args: []string{"--port"}, err: "Failed to load non-boolean flag 'port': Missing value"},
		{name: "negated value flag", args: []string{"--no-port"}, err: "Failed to load non-boolean flag 'port' via 'no-port'"},
		{name: "negated with value", args: []string{"--no-hostname_lookup=true"}, err: "Failed to load boolean flag 'hostname_lookup' via 'no-hostname_lookup' with value 'true'"},
		{name: "bad boolean", args: []string{"--hostname_lookup=yes"}, err: "Failed to load flag 'hostname_lookup': Expecting a boolean (e.g., true or false)"},
		{name: "bad number", args: []string{"--port=x"}, err: "Failed to load flag 'port': Failed to convert into required type"},
		{name: "bad duration", args: []string{"--agent_ping_timeout=15"}, err: "Failed to load flag 'agent_ping_timeout': Invalid duration '15'"},
		{name: "bad unit", args: []string{"--agent_ping_timeout=15s"}, err: "Failed to load flag 'agent_ping_timeout': Unknown duration unit 's'; supported units are 'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and 'weeks'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := table().Load(Source{Args: tt.args, Environ: tt.env})
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, s := range v.All() {
				got[s.Name] = s.Value
			}
			for k, want := range tt.want {
				if got[k] != want {
					t.Errorf("%s = %q, want %q", k, got[k], want)
				}
			}
		})
	}
}

func TestFileValueIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("a.example"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := table().Load(Source{Args: []string{"--hostname=file://" + path, "--work_dir=file:///w"}})
	if err != nil {
		t.Fatal(err)
	}
	if v.String("hostname") != "a.example" || v.String("work_dir") != "file:///w" {
		t.Errorf("hostname %q, work_dir %q", v.String("hostname"), v.String("work_dir"))
	}
	if _, err := table().Load(Source{Args: []string{"--hostname=file:///nowhere/at/all"}}); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestHelpAndUnread(t *testing.T) {
	if _, err := table().Load(Source{Args: []string{"--help"}}); !errors.Is(err, ErrHelp) {
		t.Errorf("error %v, want ErrHelp", err)
	}
	v, err := table().Load(Source{Args: []string{"--port=1", "--hostname=h"}})
	if err != nil {
		t.Fatal(err)
	}
	v.Int("port")
	if d := cmp.Diff([]string{"hostname"}, v.Unread()); d != "" {
		t.Error(d)
	}
}

func TestDurationText(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"15secs": 15 * time.Second, "1.5hrs": 90 * time.Minute, "2weeks": 14 * 24 * time.Hour, "0ns": 0, "7us": 7 * time.Microsecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	}
	for d, want := range map[time.Duration]string{
		5 * time.Second: "5secs", 90 * time.Second: "90secs", 15 * time.Minute: "15mins", 24 * time.Hour: "1days",
		14 * 24 * time.Hour: "2weeks", 1500 * time.Microsecond: "1500us", 0: "0ns", 10 * 24 * time.Hour: "10days",
		-5 * time.Second: "-5secs", time.Minute: "1mins", 1234567 * time.Nanosecond: "1.234567ms",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 1024: "1KB", 1025: "1025B", 32 << 20: "32MB", 2 << 30: "2GB", 1 << 50: "1024TB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
		if back, err := ParseBytes(want); err != nil || back != n {
			t.Errorf("ParseBytes(%q) = %d, %v", want, back, err)
		}
	}
	for _, bad := range []string{"", "12", "1.5MB", "3XB", "99999999999TB", "KB"} {
		if _, err := ParseBytes(bad); err == nil {
			t.Errorf("ParseBytes(%q) was accepted", bad)
		}
	}
}

func marathonTable() *Table {
	return &Table{Program: "marathon", EnvPrefix: "MARATHON_", Flags: []Flag{
		{Name: "checkpoint", Kind: Bool, Default: "true"},
		{Name: "disable_http", Kind: Bool, Default: "false"},
		{Name: "failover_timeout", Kind: Seconds, Default: "604800"},
		{Name: "http_port", Kind: Int, Default: "8080"},
		{Name: "master", Kind: String, NoDefault: true},
		{Name: "revive_offers_repetitions", Kind: Int, NoDefault: true, Gone: "offers are revived at once"},
		{Name: "zk", Kind: String, NoDefault: true},
	}}
}

func TestLoadScallopForms(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  []string
		want map[string]string
		err  string
	}{
		{name: "space form", args: []string{"--http_port", "8081"}, want: map[string]string{"http_port": "8081"}},
		{name: "equals form", args: []string{"--http_port=8082"}, want: map[string]string{"http_port": "8082"}},
		{name: "toggle off", args: []string{"--disable_checkpoint"}, want: map[string]string{"checkpoint": "false"}},
		{name: "flag that begins with disable_", args: []string{"--disable_http"}, want: map[string]string{"disable_http": "true"}},
		{name: "environment", env: []string{"MARATHON_HTTP_PORT=99", "MARATHON_APP_ID=/x"}, want: map[string]string{"http_port": "99"}},
		{name: "empty environment is a bare flag", env: []string{"MARATHON_DISABLE_CHECKPOINT="}, want: map[string]string{"checkpoint": "false"}},
		{name: "both ways", args: []string{"--http_port", "1"}, env: []string{"MARATHON_HTTP_PORT=2"}, err: "Flag 'http_port' is already loaded via name 'http_port'"},
		{name: "unknown", args: []string{"--http_prot", "1"}, err: "Unknown option 'http_prot'; did you mean --http_port?"},
		{name: "no value", args: []string{"--http_port"}, err: "Bad arguments for option 'http_port': '' - you should provide exactly one argument for this option"},
		{name: "stray word", args: []string{"hello"}, err: "Excess arguments provided: 'hello'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := marathonTable().LoadScallop(Source{Args: tt.args, Environ: tt.env})
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, s := range v.All() {
				got[s.Name] = s.Value
			}
			for k, want := range tt.want {
				if got[k] != want {
					t.Errorf("%s = %q, want %q", k, got[k], want)
				}
			}
		})
	}
}

func TestRemovedFlagOnlyWarns(t *testing.T) {
	v, err := marathonTable().LoadScallop(Source{Args: []string{"--revive_offers_repetitions", "3"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "no effect any more") {
		t.Errorf("warnings %q", v.Warnings)
	}
}

func write(t *testing.T, root, path, content string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMesosPackageReadsWhatTheInitWrapperReads(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/mesos/zk", "zk://a:2181,b:2181/mesos\n")
	write(t, root, "etc/default/mesos", "LOGS=/var/log/mesos\nULIMIT=\"-n 16384\"\nMESOS_QUIET=true\n")
	write(t, root, "etc/default/mesos-master", "PORT=5050\nZK=`cat "+root+"/etc/mesos/zk`\n")
	write(t, root, "etc/mesos-master/quorum", "2\n")
	write(t, root, "etc/mesos-master/?no-hostname_lookup", "")
	write(t, root, "etc/mesos-master/?no-logger", "")
	write(t, root, "etc/mesos-master/sub/ignored", "x")
	p, err := MesosPackage(t.Context(), root, "master", []string{"PATH=" + os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--zk=zk://a:2181,b:2181/mesos", "--port=5050", "--log_dir=/var/log/mesos", "--no-hostname_lookup", "--quorum=2"}
	if d := cmp.Diff(want, p.Args); d != "" {
		t.Error(d)
	}
	if q, _ := lookup(p.Environ, "MESOS_QUIET"); q != "true" {
		t.Errorf("MESOS_QUIET = %q", q)
	}
	if p.Ulimit != "-n 16384" {
		t.Errorf("Ulimit = %q", p.Ulimit)
	}
}

func TestAgentPackageJoinsAttributesAndResources(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/mesos-slave/attributes/rack", "r1\n")
	write(t, root, "etc/mesos-slave/attributes/zone", "z\n")
	write(t, root, "etc/mesos-slave/resources/ports", "[1-2]")
	write(t, root, "etc/mesos-slave/resources/empty", "")
	p, err := MesosPackage(t.Context(), root, "agent", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"--attributes=rack:r1;zone:z", "--resources=ports:[1-2]"}, p.Args); d != "" {
		t.Error(d)
	}
}

func TestBrokenDefaultFileIsNamed(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/default/mesos", "if\n")
	if _, err := MesosPackage(t.Context(), root, "master", nil); err == nil || !strings.Contains(err.Error(), "etc/default/mesos") {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestMarathonPackage(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/mesos/zk", "zk://a:2181/mesos\n")
	write(t, root, "etc/marathon/conf/http_port", "8081")
	write(t, root, "etc/marathon/conf/hostname", "h1")
	write(t, root, "etc/marathon/conf/?disable_ha", "")
	write(t, root, "etc/default/marathon", "MARATHON_MESOS_USER=root\n")
	p, err := MarathonPackage(t.Context(), root, []string{"--http_port", "9"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--disable_ha", "--hostname=h1", "--master=zk://a:2181/mesos", "--zk=zk://a:2181/marathon", "--http_port", "9"}
	if d := cmp.Diff(want, p.Args); d != "" {
		t.Error(d)
	}
	if u, _ := lookup(p.Environ, "MARATHON_MESOS_USER"); u != "root" {
		t.Errorf("MARATHON_MESOS_USER = %q", u)
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("15secs")
	f.Add("1.5hrs")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err == nil && d < 0 {
			t.Errorf("ParseDuration(%q) = %d", s, d)
		}
	})
}
