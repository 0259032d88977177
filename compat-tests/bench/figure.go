package bench

import (
	"fmt"
	"slices"
	"time"
)

// spread is what is printed of repeated measurements.
func spread(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	at := func(part float64) time.Duration { return round(list[int(part*float64(len(list)-1))]) }
	return fmt.Sprintf("min %v, median %v, 99%% %v, max %v (%d)", at(0), at(0.5), at(0.99), at(1), len(list))
}

func round(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond)
	case d < 100*time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func mega(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
