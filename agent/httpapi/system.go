package httpapi

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
)

// load is the machine's load and memory.
type load struct {
	one, five, fifteen float64
	free, total        uint64
	cpus               int
}

func machineLoad() load {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return load{cpus: runtime.NumCPU()}
	}
	unit := uint64(info.Unit)
	scale := func(n uint64) float64 { return float64(n) / (1 << 16) }
	return load{
		one: scale(uint64(info.Loads[0])), five: scale(uint64(info.Loads[1])), fifteen: scale(uint64(info.Loads[2])),
		free: uint64(info.Freeram) * unit, total: uint64(info.Totalram) * unit, cpus: runtime.NumCPU(),
	}
}

func systemMetrics(m map[string]float64) {
	l := machineLoad()
	m["system/cpus_total"] = float64(l.cpus)
	m["system/load_1min"] = l.one
	m["system/load_5min"] = l.five
	m["system/load_15min"] = l.fifteen
	m["system/mem_free_bytes"] = float64(l.free)
	m["system/mem_total_bytes"] = float64(l.total)
}

// systemStats answers GET /system/stats.json.
func (s *server) systemStats(c *gin.Context) {
	l := machineLoad()
	var body []byte
	o := mesosjson.BeginObject(&body)
	o.Double("avg_load_15min", l.fifteen)
	o.Double("avg_load_1min", l.one)
	o.Double("avg_load_5min", l.five)
	o.Int("cpus_total", int64(l.cpus))
	o.Uint("mem_free_bytes", l.free)
	o.Uint("mem_total_bytes", l.total)
	o.End()
	httpd.JSON(c, body)
}

// loggingLevel is the verbosity that /logging/toggle sets for a while. Stoa's log has
// one verbosity; the number is kept because tools read it back.
type loggingLevel struct {
	mutex sync.Mutex
	level uint32
	until time.Time
}

func (l *loggingLevel) get() uint32 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if time.Now().After(l.until) {
		return 0
	}
	return l.level
}

func (l *loggingLevel) set(level uint32, d time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.level, l.until = level, time.Now().Add(d)
}

// loggingToggle answers /logging/toggle (3rdparty/libprocess/src/logging.cpp).
func (s *server) loggingToggle(c *gin.Context) {
	q := httpd.Query(c)
	level, hasLevel := q["level"]
	duration, hasDuration := q["duration"]
	refuse := func(text string) { httpd.Text(c, http.StatusBadRequest, text) }
	switch {
	case !hasLevel && !hasDuration:
		httpd.Text(c, http.StatusOK, strconv.FormatUint(uint64(s.logging.get()), 10)+"\n")
		return
	case hasLevel && !hasDuration:
		refuse("Expecting 'duration=value' in query.\n")
		return
	case !hasLevel:
		refuse("Expecting 'level=value' in query.\n")
		return
	}
	n, err := strconv.ParseInt(level, 10, 32)
	if err != nil {
		refuse("Failed to convert '" + level + "' to number.\n")
		return
	}
	d, err := flags.ParseDuration(duration)
	switch {
	case n < 0:
		refuse("Invalid level '" + level + "'.\n")
	case err != nil:
		refuse(err.Error() + ".\n")
	default:
		s.logging.set(uint32(n), d)
		httpd.Empty(c, http.StatusOK)
	}
}
