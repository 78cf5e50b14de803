#!/usr/bin/env bash
# The status page in a real browser: it draws the ring from the node's document, and loads nothing from elsewhere.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
  echo "skipped: no chromium is installed"
  exit 0
fi

port=$(free_port)
KV_METRICS=127.0.0.1:$port one_node
kv put key value >/dev/null

flags=(--headless --no-sandbox --disable-gpu --no-first-run --user-data-dir="$work/browser" --virtual-time-budget=9000)
timeout 100 "$browser" "${flags[@]}" --dump-dom "http://127.0.0.1:$port/" >page.html 2>browser.log ||
  fail "the browser ended with $?: $(tail -n 5 browser.log)"
same 16 "$(grep -o 'data-partition="[0-9]*"' page.html | sort -u | wc -l)"
same 16 "$(grep -o 'data-leader="1"' page.html | wc -l)"
grep -q '<strong id="state" class="good">ready</strong>' page.html || fail "not ready: $(grep -o 'id="state.*' page.html)"
grep -q '<title>kv: node 1 of kv-' page.html
grep -q '<polyline points="[0-9]' page.html || fail "no chart is drawn"

# Where it is wanted, a picture of it.
if [ -n "${KV_SCREENSHOTS:-}" ]; then
  mkdir -p "$KV_SCREENSHOTS"
  timeout 100 "$browser" "${flags[@]}" --window-size=1200,1000 --screenshot="$KV_SCREENSHOTS/status-page.png" \
    "http://127.0.0.1:$port/" 2>>browser.log
  [ -s "$KV_SCREENSHOTS/status-page.png" ]
fi

# Nothing in the page leads elsewhere.
! grep -Eo '(src|href)="[^"]*"' page.html | grep -v 'data:' || fail "the page loads something"
