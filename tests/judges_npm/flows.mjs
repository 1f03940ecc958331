// The broker's own Node client against the venue: node flows.mjs <url> <stream url> <admin url>; answers one JSON
// object, flow → "" or what went wrong. Started in the folder that holds node_modules.
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import { join } from "node:path";

const [url, streams, admin] = process.argv.slice(2);
const { Alpaca, trading, marketData } = createRequire(join(process.cwd(), "package.json"))("@alpacahq/alpaca-trade-api");
const keys = { keyId: "PKNODE", secret: "secret-of-the-node-client" };
const conf = { ...keys, basePath: url };
const on = (Api) => new Api(new trading.Configuration(conf));
const data = (Api) => new Api(new marketData.Configuration(conf));
const orders = on(trading.OrdersApi);
const positions = on(trading.PositionsApi);
const stocks = data(marketData.StockApi);

const skip = async (time) => {
  const answer = await fetch(`${admin}/clock/skip_to`, { method: "POST", body: JSON.stringify({ time }) });
  assert.equal(answer.status, 200);
};
const refusal = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
};
const status = (error) => error.status ?? error.response?.status ?? error.statusCode;
const market = (more) => ({ symbol: "SPY", side: "buy", type: "market", timeInForce: "day", qty: "3", ...more });
const post = (body) => orders.postOrder({ postOrderRequest: body, createOrderRequest: body });

const flows = {
  async "account, clock, calendar and assets are read"() {
    const account = await on(trading.AccountsApi).getAccount();
    assert.equal(account.status, "ACTIVE");
    assert.equal(Number(account.cash), 100000);
    const clock = await on(trading.ClockApi).legacyClock();
    assert.equal(clock.isOpen, true);
    const days = await on(trading.CalendarApi).legacyCalendar({
      start: new Date("2026-01-05T00:00:00Z"),
      end: new Date("2026-01-06T00:00:00Z"),
    });
    assert.equal(days.length, 2);
    const assets = await on(trading.AssetsApi).getV2Assets();
    assert.ok(assets.some((asset) => asset.symbol === "SPY" && asset.fractionable !== undefined));
    const spy = await on(trading.AssetsApi).getV2AssetsSymbolOrAssetId({ symbolOrAssetId: "SPY" });
    assert.equal(spy.symbol, "SPY");
  },
  async "an order is placed, filled, found by both ids and closed"() {
    const made = await post(market({ clientOrderId: "node-1" }));
    assert.equal(made.clientOrderId, "node-1");
    await skip("2026-01-05T14:32:30Z");
    const found = await orders.getOrderByClientOrderId({ clientOrderId: "node-1" });
    assert.equal(found.id, made.id);
    assert.equal(found.status, "filled");
    assert.equal((await orders.getOrderByOrderID({ orderId: made.id })).filledQty, "3");
    const held = await positions.getOpenPosition({ symbolOrAssetId: "SPY" });
    assert.equal(held.qty, "3");
    assert.equal((await positions.getAllOpenPositions()).length, 1);
    await positions.deleteOpenPosition({ symbolOrAssetId: "SPY", qty: 1 });
    await skip("2026-01-05T14:33:30Z");
    assert.equal((await positions.getOpenPosition({ symbolOrAssetId: "SPY" })).qty, "2");
    const closed = await positions.deleteAllOpenPositions({ cancelOrders: true });
    assert.equal(closed[0].status, 200);
    await skip("2026-01-05T14:34:30Z");
    assert.deepEqual(await positions.getAllOpenPositions(), []);
    const fills = await on(trading.AccountActivitiesApi).getAccountActivitiesByActivityType({ activityType: "FILL" });
    assert.equal(fills.length, 3);
  },
  async "a resting order is replaced and cancelled, one by one and all"() {
    const made = await post(market({ type: "limit", limitPrice: "2" }));
    await skip("2026-01-05T14:35:30Z");
    const moved = await orders.patchOrderByOrderId({ orderId: made.id, patchOrderRequest: { limitPrice: "3" } });
    assert.equal(moved.replaces, made.id);
    await orders.deleteOrderByOrderID({ orderId: moved.id });
    await post(market({ type: "limit", limitPrice: "2" }));
    const cancelled = await orders.deleteAllOrders();
    assert.equal(cancelled[0].status, 200);
    const listed = await orders.getAllOrders({ status: "all", limit: 100, nested: true });
    assert.ok(listed.length >= 4);
  },
  async "a bracket has its legs"() {
    const made = await post(
      market({ orderClass: "bracket", takeProfit: { limitPrice: "9000" }, stopLoss: { stopPrice: "1" } }),
    );
    assert.deepEqual(made.legs.map((leg) => leg.status), ["held", "held"]);
    await orders.deleteAllOrders();
  },
  async "refusals have the broker's statuses"() {
    assert.equal(status(await refusal(post(market({ clientOrderId: "node-1" })))), 422);
    assert.equal(status(await refusal(post(market({ qty: "1000000" })))), 403);
    assert.equal(status(await refusal(positions.getOpenPosition({ symbolOrAssetId: "SH" }))), 404);
    const wrong = new trading.AccountsApi(new trading.Configuration({ ...conf, secret: "wrong" }));
    assert.equal(status(await refusal(wrong.getAccount())), 401);
  },
  async "bars, trades, quotes, snapshots and pages are read"() {
    const ask = { symbols: "SPY,SH", timeframe: "1Min", start: new Date("2026-01-05T14:30:00Z"), limit: 4 };
    const first = await stocks.stockBars(ask);
    assert.ok(first.nextPageToken);
    const next = await stocks.stockBars({ ...ask, pageToken: first.nextPageToken });
    assert.ok(Object.keys(next.bars).length > 0);
    for (const frame of ["5Min", "1Hour", "1Day", "1Week", "1Month"]) {
      await stocks.stockBarSingle({ symbol: "SPY", timeframe: frame, start: new Date("2025-12-01T00:00:00Z") });
    }
    assert.ok((await stocks.stockTradeSingle({ symbol: "SPY", limit: 5 })).trades.length === 5);
    assert.ok((await stocks.stockQuoteSingle({ symbol: "SPY", limit: 5 })).quotes.length === 5);
    const snapshots = await stocks.stockSnapshots({ symbols: "SPY,SH" });
    assert.deepEqual(Object.keys(snapshots).sort(), ["SH", "SPY"]);
    await stocks.stockLatestQuotes({ symbols: "SPY" });
    await stocks.stockLatestTradeSingle({ symbol: "SPY" });
    await stocks.stockLatestBars({ symbols: "SPY" });
    await stocks.stockAuctionSingle({ symbol: "SPY" });
    await stocks.stockMetaExchanges();
    await data(marketData.ScreenerApi).mostActives({ top: 3 });
  },
  async "watchlists, configurations and the history are read and written"() {
    const lists = on(trading.WatchlistsApi);
    const made = await lists.postWatchlist({ createWatchlistRequest: { name: "node", symbols: ["SPY"] } });
    await lists.addAssetToWatchlist({ watchlistId: made.id, addAssetToWatchlistRequest: { symbol: "SH" } });
    const found = await lists.getWatchlistByName({ name: "node" });
    assert.deepEqual(found.assets.map((asset) => asset.symbol), ["SPY", "SH"]);
    await lists.removeAssetFromWatchlist({ watchlistId: made.id, symbol: "SH" });
    await lists.deleteWatchlistById({ watchlistId: made.id });
    assert.deepEqual(await lists.getWatchlists(), []);
    assert.equal((await on(trading.AccountConfigurationsApi).getAccountConfig()).noShorting, false);
    const past = await on(trading.PortfolioHistoryApi).getAccountPortfolioHistory({ period: "1D", timeframe: "1Min" });
    assert.ok(past.equity.length > 3);
  },
  async "trade updates tell an order's life"() {
    const client = new Alpaca({ ...keys, paper: true });
    const stream = client.trading.stream({ url: `${streams}/stream` });
    const seen = [];
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`only saw ${seen.join()}`)), 15000);
      stream.onError((error) => reject(new Error(String(error?.message ?? error))));
      stream.onTradeUpdate((update) => {
        seen.push(update.event);
        if (update.event === "fill") {
          clearTimeout(late);
          resolve();
        }
      });
      stream.onConnect(() => {
        stream.subscribeTradeUpdates();
        setTimeout(async () => {
          await post(market({ qty: "1" })).catch(reject);
          await skip("2026-01-05T14:40:30Z").catch(reject);
        }, 500);
      });
      stream.connect();
    });
    stream.disconnect();
    assert.deepEqual(seen, ["new", "fill"]);
  },
  async "bars and quotes arrive"() {
    const client = new Alpaca({ ...keys, paper: true });
    const stream = client.marketData.stockStream({ feed: "iex", url: `${streams}/v2/iex` });
    const bars = [];
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no bar came")), 15000);
      stream.onError((error) => reject(new Error(String(error?.message ?? error))));
      stream.onBar((bar) => {
        bars.push(bar);
        clearTimeout(late);
        resolve();
      });
      stream.onConnect(() => {
        stream.subscribeForBars(["SPY"]);
        setTimeout(() => skip("2026-01-05T14:42:30Z").catch(reject), 500);
      });
      stream.connect();
    });
    stream.disconnect();
    assert.equal(bars[0].symbol, "SPY");
    assert.ok(bars[0].high >= bars[0].low);
  },
};

const told = {};
await skip("2026-01-05T14:31:00Z");
for (const [name, flow] of Object.entries(flows)) {
  try {
    await flow();
    told[name] = "";
  } catch (error) {
    told[name] = `${error?.name}: ${error?.message} ${JSON.stringify(error?.body ?? error?.cause?.message ?? "")}`;
  }
}
console.log(JSON.stringify(told));
process.exit(0);
