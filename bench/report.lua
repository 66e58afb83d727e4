-- wrk: what was counted as one line of JSON. Defines no request() or response(), so it costs nothing a request.
function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'JSON{"done":%d,"us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n', summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
