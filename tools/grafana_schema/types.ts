// The parts of Grafana's own types that our dashboards use; the checker turns each into a JSON schema.
import { Dashboard } from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import { Options as GaugeOptions } from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen';
import { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import { Options as TextOptions } from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import { Options as TableOptions, FieldConfig as TableFieldConfig } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import { Options as TimeSeriesOptions, FieldConfig as TimeSeriesFieldConfig } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import { Options as StateTimelineOptions, FieldConfig as StateTimelineFieldConfig } from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';

export interface EdgeInferRoot {
  dashboard: Dashboard;
  stat: StatOptions;
  gauge: GaugeOptions;
  bargauge: BarGaugeOptions;
  text: TextOptions;
  table: TableOptions;
  timeseries: TimeSeriesOptions;
  stateTimeline: StateTimelineOptions;
  tableField: TableFieldConfig;
  timeseriesField: TimeSeriesFieldConfig;
  stateTimelineField: StateTimelineFieldConfig;
}
