"""1,000 symbols' quotes through the Alpaca adapter, beside bare GETs of the same addresses."""

from pathlib import Path

import requests

from tbot_bot.broker.brokers.broker_alpaca import AlpacaBroker, AlpacaOptions
from tbot_bot.broker.rate_limit import RateLimiter
from tbot_bot.domain.market import Symbol
from tbot_bot.domain.settings import BrokerCredentials, BrokerName
from tbot_bot.support.clock import FollowedClock
from tools.campaign_venue import HEADERS, Venue
from tools.figures import Measure
from tools.stopwatch import medians

SYMBOLS = 1000
ROUNDS = 5
